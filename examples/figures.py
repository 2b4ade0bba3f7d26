"""The look that all examples share, and where their pictures go: the folder `out` of the current directory."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import kprob  # noqa: F401 - before Keras: then TensorFlow is loaded without its greetings

plt.switch_backend("Agg")  # a file is written, no window is needed

OUT = Path("out")

INK, GREY, PALE = "#1f2a44", "#8a93a6", "#dfe3ea"
BLUE, CORAL, GOLD, TEAL = "#2f6db3", "#e4572e", "#e0a526", "#1b998b"
DIGITS = (BLUE, CORAL, TEAL, GOLD, "#7b4fa3", "#d6457f", "#5a9e34", "#8c5a3c", "#3fb6d3", "#4a5568")
PAPER = LinearSegmentedColormap.from_list("ink on paper", ["#ffffff", "#9fb3cf", "#2b3a67", "#141b33"])

plt.rcParams.update(
    {
        "figure.dpi": 130,
        "figure.constrained_layout.use": True,
        "figure.titleweight": "bold",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.axisbelow": True,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
    }
)


def path(name: str) -> Path:
    """Returns where a file of an example goes, and makes the folder."""
    OUT.mkdir(exist_ok=True)
    return OUT / name


def save(figure, name: str) -> None:
    """Writes a figure and says where it is."""
    figure.savefig(path(name))
    plt.close(figure)
    print(f"Picture: {path(name).resolve()}")


def tiles(axes, images, columns: int, title: str = "") -> None:
    """Draws square grey-scale images of the range 0 to 1 side by side, smoothed for the eye."""
    size, rows = round(images[0].size ** 0.5), -(-len(images) // columns)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        box = (column, column + 1, rows - row - 1, rows - row)
        padded = np.pad(np.reshape(image, (size, size)), 1)
        axes.imshow(padded, cmap=PAPER, vmin=0, vmax=1, extent=box, interpolation="bicubic")
    axes.set(xlim=(0, columns), ylim=(0, rows), aspect="equal", title=title)
    axes.axis("off")
