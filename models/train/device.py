"""Where training runs: on the CPU, or on a CUDA device when there is one and nothing else is asked for."""

import argparse

import torch


def add_argument(parser: argparse.ArgumentParser):
    """The option `--device`."""
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda or cuda:N")


def mixed(device: torch.device | str) -> torch.autocast:
    """Mixed precision in bfloat16."""
    return torch.autocast(torch.device(device).type, torch.bfloat16)
