"""The tables of this folder: which networks are trained on what, and what their accuracy stands beside.

All schedules are those of the zoo's spec or of specs/*.yaml; nothing here steers a training but the number of epochs.
"""

import dataclasses

TWINS = "float32 twin"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str                # of files and of the table's line: [a-z0-9-]+
    network: str             # of the zoo, or a file of specs/
    data: str                # folder below TALLY_DATA_DIR
    beside: tuple = ()       # pairs (what, percent as text)
    goal: float = 0.0        # percent, mean of the seeds at the last epoch; 0: none
    samples: int = 60000     # training samples in the data
    epochs: int = 0          # 0: what the spec's schedule asks for
    piece: int = 1           # epochs between two checkpoints
    seeds: tuple = (1, 2, 3)
    options: tuple = ()      # further ones of `tally fit`
    hold_out: int = 5000     # training samples kept aside when steering
    curve: tuple = ()        # (label, ((epoch, percent), ...)): another system's curve, drawn beside


CIFAR_TWIN_10 = ("float32 twin, test", ((1, 49.995), (2, 57.133), (3, 61.784), (4, 67.018), (5, 67.398), (6, 68.591),
                                        (7, 75.388), (8, 75.549), (9, 76.852), (10, 76.832)))
# The published log states epochs from 0: ep 0, 9, 49 and 99.
VGG_9_LOG = ("published log, 9 layers", ((1, 28.7), (10, 65.3), (50, 84.3), (100, 86.7)))

TABLES = {
    "pocketnn": (
        Row("mnist", "pocketnn/mnist-mlp", "mnist", (("PocketNN paper", "96.98"), (TWINS + ", tanh", "97.90 to 97.99")),
            96.98, piece=100),
        Row("fashion", "pocketnn/fashion-mlp", "fashion-mnist", (("PocketNN paper", "87.70"),), 87.70, piece=100),
    ),
    "mlp": (
        Row("mnist", "niti/mnist-mlp", "mnist", ((TWINS, "98.08 to 98.11"), ("PocketNN paper", "96.98")), 97.4,
            piece=100),
        Row("fashion", "niti/fashion-mlp", "fashion-mnist", ((TWINS, "88.61 to 89.19"), ("PocketNN paper", "87.70")),
            88.0, piece=100),
    ),
    # The goals are the float32 twin's figures, which the zoo's networks of 8-bit weights stay below.
    "momentum": (
        Row("mnist", "mnist-mlp-momentum.yaml", "mnist", ((TWINS, "98.08 to 98.11"), ("niti/mnist-mlp", "97.48")), 98.1,
            piece=100),
        Row("fashion", "fashion-mlp-momentum.yaml", "fashion-mnist",
            ((TWINS, "88.61 to 89.19"), ("niti/fashion-mlp", "88.67")), 89.2, piece=100),
    ),
    "lenet": (
        Row("mnist", "niti/lenet", "mnist", ((TWINS, "99.17"),), 99.15),
        Row("fashion", "lenet-fashion.yaml", "fashion-mnist", ((TWINS, "90.74"),), 90.2),
    ),
    "har": (
        Row("mlp", "niti/har", "uci-har", ((TWINS, "83.57 to 84.10"),), 82.0, samples=1307, piece=100,
            hold_out=300),
        Row("convolution", "niti/har-conv", "uci-har", ((TWINS, "89.53 to 90.27"),), 87.0, samples=1307,
            piece=100, hold_out=300),
    ),
    "online": (
        Row("batch-1", "niti/mnist-online", "mnist", ((TWINS, "95.18 to 96.68"),), 93.5, epochs=1, seeds=(1,),
            options=("--in-order",)),
    ),
    "cifar": (
        Row("vgg-tiny", "niti/vgg-tiny", "cifar-10", ((TWINS + ", 10 epochs", "76.83"),), 75.3, samples=49914, seeds=(1, 2, 3),
            curve=CIFAR_TWIN_10),
    ),
    "vgg-small": (
        Row("short", "vgg-small-7-short.yaml", "cifar-10", (("published, 9 layers, epoch 10 of 200", "65.3"),),
            samples=49914, seeds=(1,), curve=VGG_9_LOG),
        Row("full", "niti/vgg-small-7", "cifar-10", (("published, 200 epochs", "89.16"),), samples=49914,
            seeds=(1,),
            curve=VGG_9_LOG),
    ),
}
