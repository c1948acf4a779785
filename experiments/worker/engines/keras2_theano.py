"""Theano under Keras 2. The environment's THEANO_FLAGS set device, BLAS and compile folder."""

from typing import Any, List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, Spec
from experiments.worker.engines.keras2 import Keras2


class Theano(Keras2):
    """Theano 1.0."""

    backend = "theano"
    distributions = ("theano",)

    def import_engine(self) -> None:
        import theano

        if theano.config.floatX != "float32":
            theano.config.floatX = "float32"

    def _context(self) -> Any:
        """The GPU's context; None if Theano computes on the CPU, also for want of a GPU."""
        import theano

        if theano.config.device == "cpu" and theano.config.init_gpu_device in ("", "cpu"):
            return None
        from theano.gpuarray.type import ContextNotDefined, get_context

        try:
            return get_context(None)
        except ContextNotDefined:
            return None

    def gpu_names(self) -> List[str]:
        context = self._context()
        return [] if context is None else [_text(context.devname)]

    def gpu_memory(self) -> Optional[int]:
        return int(self._context().total_gmem)

    def report(self) -> str:
        import theano

        return "device=%s, floatX=%s, openmp=%s, blas.ldflags=%s" % (
            theano.config.device,
            theano.config.floatX,
            theano.config.openmp,
            "set" if theano.config.blas.ldflags else "none",
        )

    def prove(self) -> Spec:
        import theano
        from theano import tensor

        matrix = theano.shared(PROOF_MATRIX)
        function = theano.function([], tensor.dot(matrix, matrix).sum())
        operations = [type(node.op).__name__ for node in function.maker.fgraph.toposort()]
        on_gpu = any(name.lower().startswith("gpu") for name in operations)
        where = "%s (%s)" % ("cuda" if on_gpu else "cpu", ", ".join(operations))
        return {"value": float(function()), "where": where}

    def is_gpu(self, where: str) -> bool:
        return where.startswith("cuda")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


ENGINE = Theano
