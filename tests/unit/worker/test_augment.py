"""Augmentation: the definition, image by image; the same plan on every engine; data loading."""

import time

import numpy as np
import pytest

from experiments.worker import data
from experiments.worker.augment import Batches

SPEC = {"shift": 0.1, "horizontal_flip": True}


def images(count: int = 50, size: int = 20, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(3)
    x = random.rand(count, size, size, channels).astype("float32")
    return x, np.arange(count).astype("int32")


def shifted(image: np.ndarray, down: int, right: int, flip: bool) -> np.ndarray:
    """The definition in other words: extend the image by its border, shift, then mirror."""
    size = image.shape[0]
    wide = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="edge")
    moved = wide[3 - down : 3 - down + size, 3 - right : 3 - right + size]
    return moved[:, ::-1] if flip else moved


def test_every_image_is_a_shift_and_flip_of_its_own():
    x, y = images()
    batches = Batches((x, y), 16, SPEC, True, 5)
    seen, shifts, flips = [], [], 0
    for index in range(len(batches)):
        got, targets = batches[index]
        assert got.dtype == np.float32
        for image, target in zip(got, targets, strict=True):
            ways = [
                (down, right, flip)
                for down in range(-3, 4)
                for right in range(-3, 4)
                for flip in (False, True)
                if np.array_equal(shifted(x[target], down, right, flip), image)
            ]
            assert len(ways) == 1
            down, right, flip = ways[0]
            assert abs(down) <= 2 and abs(right) <= 2  # 10 % of 20 pixels
            shifts.append((down, right))
            flips += flip
            seen.append(target)
    assert sorted(seen) == list(range(50)) and seen != sorted(seen)
    assert 10 < flips < 40
    assert {down for down, _ in shifts} == {right for _, right in shifts} == {-2, -1, 0, 1, 2}


def test_the_last_batch_is_smaller_and_none_follows():
    batches = Batches(images(), 16, SPEC, True, 5)
    assert [len(batches[index][0]) for index in range(len(batches))] == [16, 16, 16, 2]
    with pytest.raises(IndexError):
        batches[4]


def test_a_batch_depends_on_seed_epoch_and_index_only():
    one, other = (Batches(images(), 16, SPEC, True, 5) for _ in range(2))
    for batches in (one, other):
        batches.start_epoch(2)
    other[0], other[3]  # noqa: B018  asking out of order, twice, or for nothing changes nothing
    assert all(np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    before = one[1]
    one.start_epoch(3)
    assert not np.array_equal(before[1], one[1][1])
    third = Batches(images(), 16, SPEC, True, 6)
    third.start_epoch(2)
    assert not np.array_equal(before[1], third[1][1])


def test_without_shift_and_flip_images_stay_what_they_are():
    x, y = images()
    batches = Batches((x, y), 16, {"shift": 0.0, "horizontal_flip": False}, False, 5)
    assert np.array_equal(np.concatenate([batches[index][0] for index in range(4)]), x)
    assert np.array_equal(np.concatenate([batches[index][1] for index in range(4)]), y)


def test_the_arrays_are_not_written_to():
    x, y = images()
    x.setflags(write=False)
    Batches((x, y), 16, SPEC, True, 5)[0]


def test_it_is_cheap():
    """CIFAR-10's images, best of a few tries: the bound is far above the usual 15 µs."""
    batches = Batches(images(2048, 32), 32, SPEC, True, 5)

    def once() -> float:
        began = time.process_time()
        for index in range(len(batches)):
            batches[index]
        return (time.process_time() - began) / 2048

    assert min(once() for _ in range(5)) < 60e-6


def save(folder, **arrays):
    paths = {}
    for name in data.NAMES:
        paths[name] = str(folder / f"{name}.npy")
        np.save(paths[name], arrays.get(name, np.ones((3, 2), "float32")))
    return paths


def test_arrays_are_mapped_copy_on_write(tmp_path):
    paths = save(tmp_path)
    loaded = data.load(paths)
    assert loaded.bytes == 4 * 3 * 2 * 4
    assert type(loaded.training[0]) is np.ndarray
    loaded.training[0][:] = 7
    assert np.load(paths["x_train"]).max() == 1


def test_arrays_that_do_not_match_are_refused(tmp_path):
    with pytest.raises(ValueError, match="3 inputs and 2 targets in the train arrays"):
        data.load(save(tmp_path, y_train=np.ones((2, 2), "float32")))
    with pytest.raises(ValueError, match="0 inputs and 0 targets in the validation arrays"):
        data.load(save(tmp_path, x_validation=np.ones((0, 2)), y_validation=np.ones((0, 2))))


def test_pickled_arrays_are_refused(tmp_path):
    with pytest.raises(ValueError):
        data.load(save(tmp_path, x_train=np.array([{}, {}, {}], dtype=object)))
