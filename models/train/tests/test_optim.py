"""Matrices that are orthogonalised together are what they are alone."""

import torch

from optim import Muon, orthogonalise


def test_a_stack_is_orthogonalised_matrix_by_matrix():
    torch.manual_seed(0)
    stack = torch.randn(3, 16, 40)
    together = orthogonalise(stack)
    for matrix, result in zip(stack, together):
        assert torch.allclose(result, orthogonalise(matrix[None])[0], atol=0.02)
        values = torch.linalg.svdvals(result.float())
        assert values.min() > 0.5 and values.max() < 1.3


def test_a_step_moves_each_matrix_by_its_own_gradient():
    torch.manual_seed(0)
    gradients = [torch.randn(8, 8), torch.randn(8, 8), torch.randn(4, 6, 3), torch.randn(32, 8)]
    gates = [False, False, False, True]

    def stepped(which: list) -> list:
        parameters = [torch.nn.Parameter(torch.zeros_like(gradients[n])) for n in which]
        for parameter, n in zip(parameters, which):
            parameter.grad, parameter.gates = gradients[n].clone(), gates[n]
        Muon(parameters, lr=1.0).step()
        return [p.detach() for p in parameters]

    together = stepped([0, 1, 2, 3])
    for n, result in enumerate(together):
        assert torch.allclose(result, stepped([n])[0], atol=0.02)
        assert result.abs().max() > 0
