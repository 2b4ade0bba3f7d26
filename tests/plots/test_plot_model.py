"""The plate diagram, against diagrams known beforehand; only the test of pictures needs graphviz's program `dot`."""

import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import DataError, KprobError
from kprob.plots import plot_model
from kprob.plots.diagram import Node, diagram

ops = keras.ops


class VAE(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(5)])
        self.encoder = keras.layers.Dense(8, "relu")
        self.z = layers.Normal(2)
        self.x = layers.Bernoulli(5)
        self.z_given_x = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def simplest():
    theta = kprob.sample("theta", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(theta, 1.0))


@kprob.probmodel
def nested(x, net):
    tau = kprob.sample("tau", tfd.HalfNormal(1.0))
    rate = kprob.param("rate", 2.0, constraint="positive")
    with kprob.plate("schools", 8):
        school = kprob.sample("school", tfd.Normal(0.0, tau))
        with kprob.plate("classes", 3):
            kprob.sample("level", tfd.Normal(school[:, None], 1.0))
    kprob.factor("penalty", -tau)
    with kprob.plate("data"):
        mean = kprob.deterministic("mean", net(x)[:, 0])
        kprob.sample("y", tfd.Normal(mean, rate))


def model_of(network, **options):
    return kprob.ProbabilisticModel(generative=network, name="model", **options)


NESTED = {
    "x": Node("x", "argument", "", ("data",)),
    "tau": Node("tau", "latent", "HalfNormal", ()),
    "school": Node("school", "latent", "Normal", ("schools",)),
    "level": Node("level", "latent", "Normal", ("schools", "classes")),
    "penalty": Node("penalty", "factor", "", ()),
    "mean": Node("mean", "deterministic", "", ("data",)),
    "y": Node("y", "observed", "Normal", ("data",)),
}
NESTED_EDGES = {("tau", "school"), ("school", "level"), ("tau", "penalty"), ("x", "mean"), ("mean", "y")}


def test_an_amortised_model():
    panels = diagram(VAE().networks)
    p, q = panels["p"], panels["q"]
    assert p.title == "p(z, x)" and q.title == "q(z | x)"
    assert p.nodes == {
        "z": Node("z", "latent", "Normal (2,)", ("data",)),
        "x": Node("x", "observed", "Bernoulli (5,)", ("data",)),
    }
    assert p.edges == [("z", "x")]
    assert q.nodes == {
        "x": Node("x", "observed", "", ("data",)),
        "z": Node("z", "latent", "Normal (2,)", ("data",)),
    }
    assert q.edges == [("x", "z")]
    assert p.sizes == q.sizes == {("data",): None}


def test_the_networks_on_the_way():
    panels = diagram(VAE().networks, parameters=True)
    assert panels["p"].nodes["(decoder)"] == Node("decoder", "layer")
    assert panels["p"].edges == [("z", "x"), ("(decoder)", "x")]
    assert panels["q"].edges == [("x", "z"), ("(encoder)", "z")]


def test_the_simplest_model():
    # InferPy's graph of it has no edge.
    (panel,) = diagram(model_of(simplest).networks).values()
    assert panel.edges == [("theta", "x")]
    assert {name: node.role for name, node in panel.nodes.items()} == {"theta": "latent", "x": "latent"}


def test_a_built_model_with_the_automatic_guide():
    model = model_of(simplest).compile(kprob.ELBO(), "adam")
    model.fit({"x": np.zeros(1200)}, epochs=1, batch_size=600, verbose=0)
    panels = diagram(model.networks)
    assert panels["p"].nodes["x"].role == "observed"
    assert panels["p"].sizes == {("data",): 1200}
    assert panels["q"].title == "q(theta)"
    assert panels["q"].nodes == {"theta": Node("theta", "latent", "Normal")} and not panels["q"].edges


@pytest.mark.parametrize("number", [2, 50])
def test_a_guide_with_a_latent_for_each_row(number):
    def network():
        scale = kprob.sample("scale", tfd.LogNormal(0.0, 1.0))
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, scale))
            kprob.sample("x", tfd.Normal(z, 1.0))

    model = model_of(network).compile(kprob.ELBO(), "adam")
    model.fit({"x": np.zeros(number)}, epochs=1, verbose=0)
    panels = diagram(model.networks)
    assert panels["p"].edges == [("scale", "z"), ("z", "x")]
    assert panels["q"].nodes["z"] == Node("z", "latent", "Normal", ("data",))
    assert panels["q"].sizes == {("data",): number}


def test_nested_plates_and_every_kind_of_site():
    model, data = nested(net=keras.layers.Dense(1)), {"x": np.ones((9, 2)), "y": np.ones(9)}
    (panel,) = diagram(model.networks, data).values()
    assert panel.title == "p(tau, school, level, y | x)"
    assert panel.nodes == NESTED and set(panel.edges) == NESTED_EDGES
    assert panel.sizes == {("schools",): 8, ("schools", "classes"): 3, ("data",): None}
    (panel,) = diagram(model.networks, data, parameters=True).values()
    learned = {"rate": Node("rate", "param"), "(net)": Node("net", "layer")}
    assert panel.nodes == NESTED | learned
    assert set(panel.edges) == NESTED_EDGES | {("rate", "y"), ("(net)", "mean")}


def test_long_titles_are_cut():
    def network():
        for i in range(9):
            kprob.sample(f"a{i}", tfd.Normal(0.0, 1.0))

    assert diagram(model_of(network).networks)["p"].title == "p(a0, a1, a2, a3, a4, ...)"


def lines_of(source, start):
    """Returns the lines of a source that begin with a node or an edge."""
    return [line.strip() for line in source.splitlines() if line.strip().startswith(start)]


def test_the_source_is_what_the_diagram_says():
    source = plot_model(VAE()).source
    (z,), (x,) = lines_of(source, '"p.z" ['), lines_of(source, '"p.x" [')
    assert "fillcolor=white" in z and "Normal (2,)" in z
    assert 'fillcolor="#dcdcdc"' in x and "Bernoulli (5,)" in x
    (p_edge,), (q_edge,) = lines_of(source, '"p.z" ->'), lines_of(source, '"q.x" ->')
    assert p_edge.startswith('"p.z" -> "p.x"') and "style=solid" in p_edge
    assert q_edge.startswith('"q.x" -> "q.z"') and "style=dashed" in q_edge
    assert "Normal" not in plot_model(VAE(), show_families=False).source
    assert "q." not in plot_model(VAE(), show_inference=False).source


def test_plates_are_nested_frames():
    model = nested(net=keras.layers.Dense(1))
    source = plot_model(model, data={"x": np.ones((9, 2))}, show_parameters=True).source
    outer = source.index('subgraph "cluster_p.schools" {')
    inner = source.index('subgraph "cluster_p.schools.classes" {')
    level = source.index('"p.level" [')
    closed = source.index("}", level)
    assert outer < source.index('"p.school" [') < inner < level < closed
    assert 'label="schools (8)"' in source[outer:inner] and 'label="classes (3)"' in source[inner:level]
    assert "peripheries=2" in lines_of(source, '"p.mean"')[0]
    assert "<I>rate</I>" in lines_of(source, '"p.rate"')[0]
    assert '"p.(net)" -> "p.mean"' in source


def test_odd_names_stay_apart_and_are_escaped():
    def network():
        a = kprob.sample("a:b", tfd.Normal(0.0, 1.0))
        b = kprob.sample("a.b", tfd.Normal(a, 1.0))
        kprob.sample('<&">', tfd.Normal(b, 1.0))

    source = plot_model(model_of(network)).source
    assert '"p.a.b" -> "p.a.b\'"' in source
    assert "&lt;&amp;&quot;&gt;" in source


def test_data_that_is_lacking_is_named():
    model = nested(net=keras.layers.Dense(1))
    with pytest.raises(DataError, match="needs `x`, which the data lacks"):
        plot_model(model)


def test_the_package_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"pip install 'kprob\[plots\]'"):
        plot_model(model_of(simplest))


def test_the_program_is_needed_only_for_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    graph = plot_model(model_of(simplest), tmp_path / "model.gv")
    assert (tmp_path / "model.gv").read_text() == graph.source
    with pytest.raises(RuntimeError, match="apt-get install graphviz"):
        plot_model(model_of(simplest), tmp_path / "model.png")
    assert not (tmp_path / "model.png").exists()


def test_a_file_of_an_unknown_kind(tmp_path):
    with pytest.raises(KprobError, match=r"ends in \.png, \.svg, \.pdf"):
        plot_model(model_of(simplest), tmp_path / "model.bmp")


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's program isn't installed")
def test_pictures_are_written(tmp_path):
    for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        plot_model(model_of(simplest), tmp_path / f"model.{suffix}")
        assert (tmp_path / f"model.{suffix}").read_bytes().startswith(start)


@pytest.mark.once
def test_importing_kprob_loads_no_plotting():
    # Keras itself loads matplotlib where it is installed.
    code = (
        "import sys, keras; before = set(sys.modules); import kprob.plots;"
        "print(sorted({'graphviz', 'matplotlib'} & (set(sys.modules) - before)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
