"""The references must be right themselves: closed forms, brute force, complex steps.

NumPy only; no engine is needed.
"""

import math

import numpy as np
import pytest

from experiments.worker.selfcheck import (
    cases,
    chains,
    convention,
    differences,
    needs,
    reference,
)
from experiments.worker.selfcheck.layers import FORWARD_LIMIT, GRADIENT_LIMIT

ALL_CASES = cases.feedforward() + cases.recurrent(2)
ALL_CHAINS = chains.everything()


@pytest.fixture
def random():
    return np.random.RandomState(1)


# ---- layers --------------------------------------------------------------------------------------


def test_activations_have_their_closed_forms():
    x = np.array([-4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0])
    np.testing.assert_allclose(reference.relu(x), [0, 0, 0, 0, 1, 2.5, 4])
    np.testing.assert_allclose(reference.sigmoid(x), 1 / (1 + np.exp(-x)), rtol=1e-14)
    np.testing.assert_allclose(reference.hard_sigmoid(x), [0, 0, 0.3, 0.5, 0.7, 1, 1], atol=1e-15)
    np.testing.assert_allclose(
        reference.softmax(np.log([[1.0, 2.0, 3.0]])), [[1 / 6, 2 / 6, 3 / 6]], rtol=1e-14
    )
    np.testing.assert_allclose(reference.softmax(np.array([[1e4, 0.0]])), [[1.0, 0.0]])
    assert reference.sigmoid(np.array(-1e4)) == 0.0


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_conv2d_is_the_sum_over_each_window(padding, random):
    x, kernel = random.normal(size=(2, 5, 6, 2)), random.normal(size=(3, 3, 2, 4))
    bias = random.normal(size=4)
    result = reference.conv2d(x, kernel, bias, padding)
    offset = 1 if padding == "same" else 0
    rows, columns = (5, 6) if padding == "same" else (3, 4)
    assert result.shape == (2, rows, columns, 4)
    for n, r, c, f in np.ndindex(*result.shape):
        total = bias[f]
        for i, j, k in np.ndindex(3, 3, 2):
            row, column = r + i - offset, c + j - offset
            if 0 <= row < 5 and 0 <= column < 6:
                total += x[n, row, column, k] * kernel[i, j, k, f]
        assert result[n, r, c, f] == pytest.approx(total, rel=1e-12)


def test_conv2d_with_a_single_one_shifts_the_image(random):
    x = random.normal(size=(1, 4, 4, 1))
    kernel = np.zeros((3, 3, 1, 1))
    kernel[0, 1] = 1.0  # takes the row above
    result = reference.conv2d(x, kernel, np.zeros(1), "same")
    np.testing.assert_array_equal(result[:, 1:], x[:, :-1])
    np.testing.assert_array_equal(result[:, 0], 0.0)


def test_pooling_takes_whole_windows_only(random):
    x = random.normal(size=(2, 5, 6, 3))
    result = reference.max_pooling(x, 2)
    assert result.shape == (2, 2, 3, 3)
    for n, r, c, k in np.ndindex(*result.shape):
        assert result[n, r, c, k] == max(
            x[n, 2 * r + i, 2 * c + j, k] for i in (0, 1) for j in (0, 1)
        )
    np.testing.assert_allclose(reference.global_average_pooling(x[0]), x[0].sum(axis=1) / 6)


def test_embedding_and_dense(random):
    table = random.normal(size=(4, 3))
    np.testing.assert_array_equal(
        reference.embedding(np.array([[3, 0]]), table), [[table[3], table[0]]]
    )
    np.testing.assert_allclose(
        reference.dense(np.array([[1.0, 2.0]]), np.array([[1.0], [10.0]]), np.array([0.5])),
        [[21.5]],
    )


@pytest.mark.parametrize("gate", cases.GATES)
def test_lstm_follows_the_equations_one_number_at_a_time(gate):
    def act(z):
        return 1 / (1 + math.exp(-z)) if gate == "sigmoid" else min(max(0.2 * z + 0.5, 0.0), 1.0)

    xs, w, u, b = (
        [0.7, -1.3, 2.0],
        [0.5, -0.4, 1.1, 0.3],
        [0.2, 0.6, -0.7, 0.9],
        [0.1, 1.0, -0.2, 0.05],
    )
    h = c = 0.0
    for x in xs:
        i, f, g, o = (w[n] * x + u[n] * h + b[n] for n in range(4))
        c = act(f) * c + act(i) * math.tanh(g)
        h = act(o) * math.tanh(c)
    result = reference.lstm(
        np.array(xs).reshape(1, 3, 1), np.array([w]), np.array([u]), np.array(b), gate
    )
    assert result.shape == (1, 1)
    assert result[0, 0] == pytest.approx(h, rel=1e-13)


def test_lstm_with_open_gates_adds_up(random):
    """Gates wide open and no recurrence: the cell is the sum of tanh(x)."""
    x = random.normal(size=(2, 5, 1))
    kernel, bias = np.array([[0.0, 0.0, 1.0, 0.0]]), np.array([50.0, 50.0, 0.0, 50.0])
    result = reference.lstm(x, kernel, np.zeros((1, 4)), bias, "hard_sigmoid")
    np.testing.assert_allclose(result, np.tanh(np.tanh(x).sum(axis=1)), rtol=1e-13)


def test_bidirectional_reads_both_ways(random):
    x, weights = (
        random.normal(size=(2, 5, 3)),
        [random.normal(size=shape) for shape in 2 * ((3, 8), (2, 8), (8,))],
    )
    both = reference.bidirectional_lstm(x, *weights, gate="sigmoid")
    np.testing.assert_allclose(both[:, :2], reference.lstm(x, *weights[:3], "sigmoid"))
    np.testing.assert_allclose(both[:, 2:], reference.lstm(x[:, ::-1], *weights[3:], "sigmoid"))


def test_losses_have_their_closed_forms():
    uniform, labels = np.full((4, 5), 0.2), np.eye(5)[:4]
    assert reference.categorical_crossentropy(labels, uniform) == pytest.approx(math.log(5))
    assert reference.binary_crossentropy(
        np.array([[1.0], [0.0]]), np.array([[0.8], [0.4]])
    ) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert reference.categorical_crossentropy(np.eye(2), np.eye(2)[::-1]) == pytest.approx(
        -math.log(1e-7), rel=1e-6
    )
    assert reference.mean_squared_error(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]])) == 2.0


# ---- gradients -----------------------------------------------------------------------------------


def test_differences_agree_with_derivatives_known_in_closed_form(random):
    x, kernel, bias = random.normal(size=(4, 3)), random.normal(size=(3, 5)), random.normal(size=5)
    labels = np.eye(5)[[0, 2, 4, 4]]

    def loss(arrays):
        return reference.categorical_crossentropy(
            labels, reference.softmax(reference.dense(x, *arrays))
        )

    by_kernel, by_bias = differences.gradients(loss, [kernel, bias])
    slope = (reference.softmax(reference.dense(x, kernel, bias)) - labels) / 4
    np.testing.assert_allclose(by_kernel, x.T @ slope, atol=1e-10)
    np.testing.assert_allclose(by_bias, slope.sum(axis=0), atol=1e-10)


def test_differences_of_a_convolution_agree_with_its_transpose(random):
    x, kernel = random.normal(size=(2, 4, 5, 2)), random.normal(size=(3, 3, 2, 3))
    upstream = random.normal(size=(2, 2, 3, 3))

    def output(arrays):
        return float(
            (upstream * reference.conv2d(arrays[0], arrays[1], np.zeros(3), "valid")).sum()
        )

    by_x, by_kernel = differences.gradients(output, [x, kernel])
    expected_x, expected_kernel = np.zeros_like(x), np.zeros_like(kernel)
    for i, j in np.ndindex(3, 3):
        expected_x[:, i : i + 2, j : j + 3] += upstream @ kernel[i, j].T
        expected_kernel[i, j] = np.einsum("nrck,nrcf->kf", x[:, i : i + 2, j : j + 3], upstream)
    np.testing.assert_allclose(by_x, expected_x, atol=1e-8)
    np.testing.assert_allclose(by_kernel, expected_kernel, atol=1e-8)


def test_differences_of_an_lstm_agree_with_complex_steps(random):
    """f(x + ih) = f(x) + ih f'(x): a derivative without any difference, exact to rounding."""
    x = random.normal(size=(2, 6, 3))
    weights = [random.normal(size=shape) for shape in ((3, 8), (2, 8), (8,))]

    def total(arrays):
        return reference.lstm(x, *arrays, "sigmoid")[:, 0].sum()

    found = differences.gradients(
        lambda arrays: float(_complex_lstm(x, *arrays).sum().real), weights
    )
    assert total(weights) == pytest.approx(_complex_lstm(x, *weights).sum().real, rel=1e-13)
    for number, weight in enumerate(weights):
        for index in np.ndindex(*weight.shape):
            moved = [array.astype(complex) for array in weights]
            moved[number][index] += 1e-30j
            assert found[number][index] == pytest.approx(
                _complex_lstm(x, *moved).sum().imag / 1e-30, abs=1e-9
            )


def _complex_lstm(x, kernel, recurrent, bias):
    h = c = np.zeros((len(x), recurrent.shape[0]), dtype=bias.dtype)
    for step in range(x.shape[1]):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    return h[:, 0]


def test_relative_error_counts_shapes_and_nan_as_wrong():
    assert differences.relative_error(np.array([1.0, 2.2]), np.array([1.0, 2.0])) == pytest.approx(
        0.1
    )
    assert differences.relative_error(np.zeros(3), np.zeros(3)) == 0.0
    assert differences.relative_error(np.zeros(3), np.zeros((3, 1))) == math.inf
    assert math.isnan(differences.relative_error(np.array([1.0, np.nan]), np.ones(2)))
    assert math.isnan(
        differences.worst_error([np.ones(1), np.array([np.nan])], [np.ones(1), np.ones(1)])
    )
    assert differences.worst_error([np.ones(1)], [np.ones(1), np.ones(1)]) == math.inf


# ---- cases: far from kinks, and apart from known faults ------------------------------------------


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_a_case_stays_clear_of_kinks_and_all_of_it_matters(case):
    """A kink within hundreds of float32 rounding errors would show in the wider difference.

    And where a gradient is zero all over, nothing would be compared.
    """
    upstream = cases.numbers(9, case.forward().shape, 1.0)

    def output(parameters):
        return float((upstream * case.forward(parameters)).sum())

    narrow = differences.gradients(output, case.parameters())
    wide = differences.gradients(output, case.parameters(), step=2e-4)
    assert differences.worst_error(wide, narrow) < GRADIENT_LIMIT / 10
    assert all(np.abs(slope).max() > 0.1 for slope in narrow)


@pytest.mark.parametrize("chain", ALL_CHAINS, ids=lambda chain: chain.name)
def test_a_chain_stays_clear_of_kinks(chain):
    inputs, target = chain.batch()

    def loss(weights):
        return reference.LOSSES[chain.loss](target, chain.forward(inputs, weights))

    wide = differences.gradients(loss, chain.weights, step=1e-4)
    assert differences.worst_error(wide, chain.expected_gradients()) < GRADIENT_LIMIT / 10
    assert sum(count for _, count in chain.layers) == len(chain.weights)
    assert sum(len(arrays) for _, arrays in chain.split(chain.weights)) == len(chain.weights)


def test_a_case_is_float32_and_the_same_each_time():
    for case, again in zip(cases.feedforward(), cases.feedforward(), strict=True):
        assert {array.dtype for array in case.weights} <= {np.dtype(np.float32)}
        np.testing.assert_array_equal(case.inputs, again.inputs)
        for weight, other in zip(case.weights, again.weights, strict=True):
            np.testing.assert_array_equal(weight, other)


def test_cases_tell_gates_directions_and_flips_apart():
    lstms = {case.name: case for case in cases.recurrent(3)}
    hard = lstms["lstm.hard_sigmoid"]
    x, weights = hard.inputs.astype(float), hard.weights
    right = hard.forward()
    keras3 = _with_gate(x, weights, lambda z: np.clip(z / 6 + 0.5, 0, 1))
    for other in (
        keras3,
        reference.lstm(x, *weights, "sigmoid"),
        reference.lstm(x[:, ::-1], *weights, "hard_sigmoid"),
    ):
        assert differences.relative_error(other, right) > 1000 * FORWARD_LIMIT
    conv = next(case for case in cases.feedforward() if case.name == "conv2d.same")
    flipped = conv.apply(conv.inputs.astype(float), conv.weights[0][::-1, ::-1], conv.weights[1])
    assert differences.relative_error(flipped.reshape(4, -1), conv.forward()) > 1000 * FORWARD_LIMIT


def _with_gate(x, weights, gate):
    reference.ACTIVATIONS["planted"] = gate
    try:
        return reference.lstm(x, *weights, "planted")
    finally:
        del reference.ACTIVATIONS["planted"]


def test_under_keras_2_a_whole_check_has_every_pair_of_settings():
    names = cases.pairwise()
    assert len(names) == 4
    settings = {("bidirectional" in name, "hard" in name, name[-1]) for name in names}
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert len({(each[first], each[second]) for each in settings}) == 4
    known = [case.name for case in cases.recurrent(2)]
    assert len(known) == len(set(known)) == 8 and set(names) < set(known)
    whole = needs.everything(2)
    assert set(needs.catalogue(2)) - set(whole) == set(known) - set(names)
    assert needs.everything(3) == needs.catalogue(3)


def test_both_generations_have_the_same_numbers():
    """Keras 3 has no implementations; all else is equal, so the tests above hold for it, too."""
    new = {case.name: case for case in cases.recurrent(3)}
    for old in cases.recurrent(2):
        np.testing.assert_array_equal(
            old.forward(), new[old.name.split(".implementation")[0]].forward()
        )


def test_only_theano_turns_kernels(random):
    class Engine:
        generation, backend = 2, "theano"

    kernel, bias = random.normal(size=(3, 3, 2, 4)), random.normal(size=4)
    turned = convention.exchange(Engine(), [kernel, bias])
    assert turned[0][0, 0, 1, 2] == kernel[2, 2, 1, 2]
    np.testing.assert_array_equal(convention.exchange(Engine(), turned)[0], kernel)
    np.testing.assert_array_equal(turned[1], bias)
    Engine.backend = "tensorflow"
    assert convention.exchange(Engine(), [kernel])[0] is kernel
