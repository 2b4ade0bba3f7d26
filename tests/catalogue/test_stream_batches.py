"""Streams of batches: what their later batches must be like, how long they must be, and which options go with them."""

import keras
import numpy as np
import pytest
from programs import Catalogue, assert_error

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()
pytestmark = pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras says of every generator
X = np.arange(8, dtype="float32")
FAMILIES = {
    "Normal": lambda z: tfd.Normal(z, 1.0),
    "Bernoulli": lambda z: tfd.Bernoulli(logits=z),
    "Poisson": lambda z: tfd.Poisson(ops.exp(z)),
    "Categorical": lambda z: tfd.Categorical(logits=ops.stack([z, 0.0 * z, 0.0 * z])),
    "Gamma": lambda z: tfd.Gamma(ops.exp(z), 1.0),
}


class Batches(keras.utils.PyDataset):
    """A PyDataset of given batches."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        return self.batches[i]


def dataset(batches):
    """A tf.data.Dataset of given batches, of which only the structure is known."""
    tf = pytest.importorskip("tensorflow")

    def spec(value):
        return tf.TensorSpec([None] * np.ndim(value), np.asarray(value).dtype)

    signature = tf.nest.map_structure(spec, batches[0])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)


KINDS = {"PyDataset": Batches, "generator": iter, "Dataset": dataset}


def model(family="Normal", eagerly=True):
    def generative():
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", FAMILIES[family](z))

    made = kprob.ProbabilisticModel(generative=generative)
    return made.compile(kprob.ELBO(), keras.optimizers.SGD(1e-3), run_eagerly=eagerly)


def train(kind, batches, family="Normal", **options):
    """Fits to batches in eager steps, which need no compiling."""
    if "num_data" not in options:
        options["num_data"] = sum(len(b["x"] if isinstance(b, dict) else b[0]["x"]) for b in batches)
    return model(family).fit(KINDS[kind](batches), verbose=0, **options)


def two(second, first=(0.0, 1.0, 1.0, 0.0)):
    return [{"x": np.asarray(first, "float32")}, {"x": np.asarray(second)}]


IMPOSSIBLE = {
    "Bernoulli": np.array([0, 1, 200, 1], "float32"),
    "Poisson": np.array([0, 1, 1.5, 1], "float32"),
    "Categorical": np.array([0, 1, 2, 3], "float32"),
    "Gamma": np.array([1, 2, -0.5, 1], "float32"),
}
FIRST = {"Gamma": (1.0, 2.0, 1.0, 1.0)}


@programs.wrong_for_each(
    IMPOSSIBLE, "`x` of ProbabilisticModel has values outside the support of its", "in every batch"
)
def impossible_values_later(family):
    train("PyDataset", two(IMPOSSIBLE[family], FIRST.get(family, (0.0, 1.0, 1.0, 0.0))), family)


@programs.wrong_for_each(list(KINDS), "outside the support of its Bernoulli distribution", "the weights have seen it")
def a_coin_of_200(kind):
    train(kind, two(IMPOSSIBLE["Bernoulli"]), "Bernoulli")


@programs.wrong("outside the support of its Poisson")
def impossible_values_of_an_evaluation():
    model("Poisson").evaluate(Batches(two(IMPOSSIBLE["Poisson"])), verbose=0)


@programs.wrong("outside the support of its Poisson")
def impossible_values_of_a_validation():
    good = Batches(two([1.0, 2.0, 3.0, 0.0]))
    model("Poisson").fit(good, validation_data=Batches(two(IMPOSSIBLE["Poisson"])), verbose=0)


@programs.wrong("outside the support of its Poisson", "-1.0 at index (1,)")
def impossible_arrays_for_the_validation_of_a_stream():
    good = Batches(two([1.0, 2.0, 3.0, 0.0]))
    model("Poisson").fit(good, validation_data={"x": [1.0, -1.0]}, verbose=0)


@programs.wrong("outside the support of its Binomial", "no more successes than trials")
def more_successes_than_the_row_has_trials():
    def generative(trials):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Binomial(trials, logits=z))

    trials = np.full(3000, 10.0, "float32")
    trials[2000], successes = 3.0, np.full(3000, 5.0, "float32")
    successes[0], successes[1], trials[1] = 0.0, 9.0, 20.0
    made = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam")
    made.fit({"trials": trials, "x": successes}, batch_size=3000, verbose=0)


@programs.wrong_for_each(["PyDataset", "Dataset"], "fractions", "0.5 at index (2,)", "batch 1 of the")
def half_a_coin(kind):
    train(kind, two(np.array([0, 1, 0.5, 1], "float32")), "Bernoulli")


@programs.wrong_for_each(list(KINDS), "`x` holds numbers that aren't finite", "the first at index (2,)")
def not_a_number_later(kind):
    train(kind, two(np.array([0, 1, np.nan, 1], "float32")))


@programs.wrong_for_each(["PyDataset", "Dataset"], "rows of another shape in `x`", "shape (4, 1)", "batch 1")
def a_column_later(kind):
    batches = two(np.zeros((4, 1), "float32"))
    model().fit(Batches(batches) if kind == "PyDataset" else of_any_shape(batches), num_data=8, verbose=0)


def of_any_shape(batches):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature={"x": tf.TensorSpec(None, "float32")})


def pairs(*rows):
    """Batches of a covariate and a value, which have these numbers of rows."""
    return [{"c": np.zeros(a, "float32"), "x": np.zeros(b, "float32")} for a, b in rows]


@programs.wrong_for_each(["PyDataset", "Dataset"], "different numbers of rows", "`c`: 1, `x`: 4", "batch 1")
def rows_that_would_be_broadcast(kind):
    def generative(c):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(z + c, 1.0))

    made = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam", run_eagerly=True)
    made.fit(KINDS[kind](pairs((4, 4), (1, 4))), num_data=None if kind == "PyDataset" else 8, verbose=0)


@programs.wrong("has no rows", "0 rows", "leave empty batches out")
def an_empty_batch():
    train("PyDataset", two(np.zeros(0, "float32")), num_data=None)


@programs.wrong("has other names", "`y`", "`x`")
def another_name_later():
    model().fit(Batches([{"x": X[:4]}, {"y": X[:4]}]), verbose=0, num_data=8)


@programs.wrong_for_each(["PyDataset", "Dataset"], "has negative weights", "-1.0", "drop rows by a 0")
def negative_weights_later(kind):
    ones = np.ones(4, "float32")
    batches = [{"x": X[:4], "w": ones}, {"x": X[4:], "w": -ones}]
    if kind == "PyDataset":
        source = Batches([({"x": batch["x"]}, None, batch["w"]) for batch in batches])
    else:
        source = dataset([(batch["x"], batch["w"]) for batch in batches]).map(lambda x, w: ({"x": x}, None, w))
    model().fit(source, num_data=8, verbose=0)


@programs.wrong("comes without sample weights", "give every batch (x, y, sample_weight)")
def weights_that_are_missing_later():
    model().fit(Batches([({"x": X[:4]}, None, np.ones(4)), {"x": X[4:]}]), verbose=0)


@programs.wrong("weights that don't fit its rows", "shape (3,)", "shape (4,)")
def weights_of_another_length_later():
    model().fit(Batches([({"x": X[:4]}, None, np.ones(4)), ({"x": X[4:]}, None, np.ones(3))]), verbose=0)


@programs.wrong("`sample_weight` has masked entries")
def masked_weights_later():
    masked = np.ma.masked_array(np.ones(4), [0, 0, 1, 0])
    model().fit(Batches([({"x": X[:4]}, None, np.ones(4)), ({"x": X[4:]}, None, masked)]), verbose=0)


GOOD = [{"x": X[:4]}, {"x": X[4:]}]


@programs.wrong_for_each(
    [{"y": X}, {"sample_weight": X}, {"validation_split": 0.2}, {"batch_size": 3}],
    "of a PyDataset takes no",
    "only beside",
)
def an_option_of_arrays(option):
    model().fit(Batches(GOOD), epochs=0, **option)


@programs.wrong_for_each([{"y": X}, {"sample_weight": X}, {"batch_size": 3}], "`evaluate` of a", "takes no")
def an_option_of_arrays_for_evaluate(option):
    model().evaluate(Batches(GOOD), **option)


@programs.wrong("`class_weight` has no meaning here")
def class_weights():
    model().fit(Batches(GOOD), class_weight={0: 1.0})


@programs.wrong("`num_data` isn't the number of rows of the PyDataset", "num_data=5", "8 rows")
def another_number_of_rows():
    model().fit(Batches(GOOD), num_data=5, epochs=0)


@programs.wrong("`num_data` isn't the number of rows", "num_data=16, and a", "8 rows")
def another_number_of_rows_of_a_dataset():
    tf = pytest.importorskip("tensorflow")
    model().fit(tf.data.Dataset.from_tensor_slices({"x": X}).batch(4).repeat(2), num_data=16, epochs=0)


@programs.wrong_for_each(["generator", "Dataset"], "another number of rows", "8 rows in an epoch, and num_data=9")
def fewer_rows_than_num_data(kind):
    train(kind, GOOD, num_data=9)


@programs.wrong_for_each(["generator", "Dataset"], "more rows than `num_data` says", "steps_per_epoch=")
def more_rows_than_num_data(kind):
    train(kind, GOOD, num_data=5)


def endless():
    while True:
        yield GOOD[0]


@programs.wrong("more rows than `num_data` says, or never ends", "steps_per_epoch=")
def a_generator_without_an_end():
    model().fit(endless(), num_data=8, verbose=0)


@programs.wrong_for_each(["fit", "evaluate"], "never ends, and nothing says where", "=100", ".repeat()")
def a_dataset_without_an_end(verb):
    tf = pytest.importorskip("tensorflow")
    getattr(model(), verb)(tf.data.Dataset.from_tensor_slices({"x": X}).batch(4).repeat())


@programs.wrong("PyDataset has no batches", "at least one batch")
def no_batches():
    model().fit(Batches([]), verbose=0)


@programs.wrong("is empty, or has ended before", "make it anew")
def an_empty_generator():
    model().fit(iter([]), num_data=8, verbose=0)


@programs.wrong("is empty, or has ended before")
def a_generator_that_was_used():
    used, made = iter(GOOD), model()
    made.fit(used, num_data=8, verbose=0)
    made.fit(used, num_data=8, verbose=0)


@programs.wrong("has ended, and epoch 2 wants batches of it", "0 batches in epoch 2", "can be gone through once")
def a_generator_for_two_epochs():
    train("generator", GOOD, epochs=2)


@programs.wrong("has ended, and epoch 2 wants batches of it", "steps_per_epoch times epochs")
def a_generator_that_ends_before_the_steps():
    train("generator", [*GOOD, GOOD[0]], num_data=8, epochs=2, steps_per_epoch=2)


@programs.right
def streams_of_every_kind():
    for kind in KINDS:
        train(kind, GOOD)
    train("Dataset", GOOD, epochs=2, num_data=8)
    train("generator", [*GOOD, *GOOD], num_data=8, epochs=2, steps_per_epoch=2)
    model().fit(endless(), num_data=8, steps_per_epoch=2, epochs=2, verbose=0)
    train("PyDataset", [(X[:4], None, np.ones(4)), (X[4:], None, np.zeros(4))], num_data=None)


@programs.right
def a_validation_that_goes_on():
    made = model()
    options = {"validation_data": Batches(GOOD), "validation_steps": 1, "epochs": 2}
    assert len(made.fit(Batches(GOOD), verbose=0, **options).history["val_elbo"]) == 2


@programs.right
def rows_that_are_repeated():
    tf = pytest.importorskip("tensorflow")
    rows = tf.data.Dataset.from_tensor_slices({"x": X})
    for source in (rows.batch(4).repeat(2), rows.repeat(2).batch(4), rows.shuffle(8).batch(3).map(lambda x: x)):
        made = model()
        made.fit(source, verbose=0)
        assert made.networks.spec.num_data == 8
    made.fit(rows.batch(4).repeat(), steps_per_epoch=3, verbose=0)


@programs.right
def values_that_a_mask_leaves_out():
    def generative(seen):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"), kprob.handlers.mask(mask=seen):
            kprob.sample("x", tfd.Poisson(ops.exp(z)))

    batches = [{"x": [1.0, 2.0], "seen": [True, True]}, {"x": [1.0, -1.0], "seen": [True, False]}]
    made = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam", run_eagerly=True)
    made.fit(Batches([{name: np.array(value) for name, value in batch.items()} for batch in batches]), verbose=0)


@programs.right
def what_belongs_to_no_row():
    def generative(u):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(z + ops.sum(u), 1.0))

    batches = [{**batch, "u": kprob.Whole(np.ones(3, "float32"))} for batch in GOOD]
    made = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam", run_eagerly=True)
    made.fit(Batches(batches), verbose=0)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()


def test_a_seed_makes_the_evaluation_of_a_stream_repeatable():
    made = model()
    first, again, other = (made.evaluate(Batches(GOOD), seed=seed, verbose=0) for seed in (3, 3, 4))
    assert first == again and first != other


@pytest.mark.parametrize("kind", ["PyDataset", "Dataset"])
def test_impossible_values_are_found_in_compiled_steps(kind):
    made = model("Bernoulli", eagerly=False)
    with pytest.raises(kprob.errors.DataError, match="outside the support of its Bernoulli"):
        made.fit(KINDS[kind](two(IMPOSSIBLE["Bernoulli"])), num_data=8, verbose=0)
