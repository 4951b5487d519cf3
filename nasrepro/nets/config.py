"""How large a network is and how it normalises."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetConfig:
    """Width, depth and batch normalisation of a supernet or stand-alone network."""

    channels: int = 16  # of the first stage; doubled at each reduction
    cells_per_stage: int = 5
    num_classes: int = 10
    affine: bool = True  # batch normalisation learns a scale and a shift
    tracked_statistics: bool = True  # it keeps running statistics


# Laube 3.3 and appendix D; M of the paper also doubles the channels.
SMALL = NetConfig(channels=32, cells_per_stage=2)
MEDIUM = NetConfig(channels=64, cells_per_stage=4)
WIDE = NetConfig(channels=96, cells_per_stage=2)
