"""Reading foreign .npz and pickle files without running anything that they contain.

A pickle is a program: the ordinary unpickler imports and calls whatever it names. The one here
knows a handful of constructors, all of NumPy arrays, and refuses every other name.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from experiments.datasets.arrays import MalformedError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Refused(pickle.UnpicklingError):
    """The pickle names something that is not needed to rebuild lists, integers and arrays."""


def _dtype(spec: Any, align: Any = False, copy: Any = False) -> Any:
    """numpy.dtype as pickles of all ages call it: old ones pass 0 and 1 for the flags."""
    import numpy as np

    return np.dtype(spec, align=bool(align), copy=bool(copy))


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """_codecs.encode as Python 3's protocol 2 uses it for bytes; no other codec is needed."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused(f"codec {encoding} is not admitted")
    return text.encode("latin1")


def _admitted() -> dict[tuple[str, str], Any]:
    """The names that may be looked up, and what each stands for."""
    import numpy as np

    # NumPy's own rebuilding functions, taken from arrays instead of by their private names.
    reconstruct = np.empty(0).__reduce__()[0]
    from_buffer = np.empty(1).__reduce_ex__(5)[0]
    names: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _dtype,
        ("_codecs", "encode"): _encode,
    }
    for core in ("numpy.core", "numpy._core"):  # NumPy 2 renamed the package
        names[core + ".multiarray", "_reconstruct"] = reconstruct
        names[core + ".numeric", "_frombuffer"] = from_buffer
    return names


class RestrictedUnpickler(pickle.Unpickler):
    """Rebuilds dicts, lists, tuples, strings, numbers and NumPy arrays; refuses the rest."""

    def __init__(self, stream: IO[bytes], encoding: str = "ASCII") -> None:
        super().__init__(stream, encoding=encoding)
        self._names = _admitted()

    def find_class(self, module: str, name: str) -> Any:
        """Look the name up in the table of admitted ones; nothing is imported."""
        try:
            return self._names[module, name]
        except KeyError:
            raise Refused(f"the pickle names {module}.{name}, which is not admitted") from None


def unpickle(content: bytes, encoding: str = "ASCII") -> Any:
    """The object in a pickle of lists, numbers and arrays; "bytes" keeps strings of Python 2.

    Raises Refused for any other content, or what the pickle module raises for a broken stream.
    """
    return RestrictedUnpickler(io.BytesIO(content), encoding).load()


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The named arrays of an .npz file; object arrays go through the restricted unpickler.

    Raises MalformedError if a name is missing, and what zipfile, NumPy or pickle raise for broken
    content.
    """
    with zipfile.ZipFile(path) as archive:
        found = {Path(member).stem for member in archive.namelist()}
        if missing := [name for name in names if name not in found]:
            raise MalformedError(
                path, f"expected the arrays {', '.join(names)}; {', '.join(missing)} not found"
            )
        # The whole member is read, so that the zip's own check sum is verified.
        return {name: read_npy(archive.read(f"{name}.npy")) for name in names}


def read_npy(content: bytes) -> NDArray[Any]:
    """The array in the bytes of a .npy file (format of NumPy Enhancement Proposal 1)."""
    import numpy as np

    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    reader = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran_order, dtype = reader(stream)
    if not dtype.hasobject:
        stream.seek(0)
        plain: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return plain
    array = RestrictedUnpickler(stream).load()
    size = int(np.prod(shape))
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(object) or array.size != size:
        raise pickle.UnpicklingError(
            f"an object array of shape {shape} was announced, but is not there"
        )
    return array.reshape(shape, order="F" if fortran_order else "C")
