"""The paper's experiments on a bundle, through `tiller lab` alone."""
