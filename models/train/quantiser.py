"""Residual vector quantisation: k-means start, running-average codebooks, revival of dead codes."""

import torch
import torch.nn.functional as F


def nearest(x: torch.Tensor, book: torch.Tensor) -> torch.Tensor:
    """Index of the nearest row of `book` [K, D] for each row of `x` [N, D]."""
    return (book.square().sum(1) - 2 * x @ book.T).argmin(1)


def k_means(x: torch.Tensor, k: int, rounds: int = 12) -> torch.Tensor:
    """`k` centres [k, D] of `x` [N, D]; empty clusters restart at random points."""
    book = x[torch.randperm(len(x), device=x.device)[:k]].clone()
    for _ in range(rounds):
        index = nearest(x, book)
        count = torch.bincount(index, minlength=k)
        total = torch.zeros_like(book).index_add_(0, index, x)
        book = total / count.clamp(min=1)[:, None]
        empty = count == 0
        book[empty] = x[torch.randint(len(x), (int(empty.sum()),), device=x.device)]
    return book


class Quantiser:
    """`books` [Q, K, D]; not an `nn.Module`, since nothing here is learned by gradient."""

    def __init__(self, stages: int, size: int, dim: int, decay: float = 0.99):
        self.books = torch.zeros(stages, size, dim)
        self.mass = torch.ones(stages, size)
        self.sums = torch.zeros(stages, size, dim)
        self.decay, self.ready = decay, False

    def to(self, device: torch.device | str):
        """Moves the books and their averages."""
        self.books, self.mass, self.sums = self.books.to(device), self.mass.to(device), self.sums.to(device)

    def start(self, latents: torch.Tensor):
        """Codebooks by k-means on `latents` [N, D], residual after residual."""
        rest = latents
        for q in range(len(self.books)):
            self.books[q] = k_means(rest, self.books.shape[1])
            index = nearest(rest, self.books[q])
            self.mass[q] = torch.bincount(index, minlength=self.books.shape[1]).float() / len(rest) * 1_000
            self.sums[q] = self.books[q] * self.mass[q][:, None]
            rest = rest - self.books[q][index]
        self.ready = True

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Codes [N, Q] of `x` [N, D]."""
        codes = []
        for book in self.books:
            codes.append(nearest(x, book))
            x = x - book[codes[-1]]
        return torch.stack(codes, 1)

    @torch.no_grad()
    def update(self, x: torch.Tensor, codes: torch.Tensor):
        """Moves the books towards the residuals they were given; revives codes nobody uses."""
        for q, book in enumerate(self.books):
            index = codes[:, q]
            count = torch.bincount(index, minlength=len(book)).float()
            self.mass[q].lerp_(count, 1 - self.decay)
            self.sums[q].lerp_(torch.zeros_like(book).index_add_(0, index, x), 1 - self.decay)
            # A code that was never due keeps its place; one starved for long is moved to a live residual.
            old = book[index]
            self.books[q] = self.sums[q] / self.mass[q].clamp(min=1e-4)[:, None]
            dead = self.mass[q] < 0.05 * len(x) / len(book)
            if dead.any():
                picks = x[torch.randint(len(x), (int(dead.sum()),), device=x.device)]
                self.books[q][dead] = picks
                self.mass[q][dead] = 0.3 * len(x) / len(book)
                self.sums[q][dead] = picks * self.mass[q][dead][:, None]
            x = x - old

    def __call__(self, latent: torch.Tensor, train: bool):
        """Latent [B, D, T] -> quantised (straight through), commitment loss, codes [B * T, Q]."""
        shape = latent.shape
        flat = latent.transpose(1, 2).reshape(-1, shape[1])
        with torch.no_grad():
            codes = self.encode(flat)
            quantised = sum(book[codes[:, q]] for q, book in enumerate(self.books))
            if train:
                self.update(flat.detach(), codes)
        commitment = F.mse_loss(flat, quantised) / flat.detach().var().clamp(min=1e-6)
        through = flat + (quantised - flat).detach()
        return through.view(shape[0], shape[2], shape[1]).transpose(1, 2), commitment, codes
