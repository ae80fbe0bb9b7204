"""Trains the text tokenizer: a Unigram model on the captions, with bytes for everything else.

`tokenizer.json` is read by Hugging Face `tokenizers` (Python and Rust). Ids: 0 `<pad>`,
1 `</s>` (appended to every text), 2 `<unk>` (never produced: unknown characters become
`<0x..>` byte tokens).

    python train_tokenizer.py --work target/train
"""

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from music.captions import examples
from shapes import Shape

SPECIAL = ["<pad>", "</s>", "<unk>"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]
# Words people type that no caption holds; they get whole tokens near each other's letters.
ALPHABET = list("abcdefghijklmnopqrstuvwxyz0123456789#.,;:!?'\"()-&/+ ")


def build(vocabulary: int, captions) -> Tokenizer:
    """A tokenizer of at most `vocabulary` entries."""
    shell = Tokenizer(models.Unigram())
    shell.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    shell.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary - len(BYTES), special_tokens=SPECIAL, unk_token="<unk>",
        initial_alphabet=ALPHABET, show_progress=False)
    shell.train_from_iterator(captions, trainer)
    pieces = json.loads(shell.to_str())["model"]["vocab"]
    known = {p for p, _ in pieces}
    floor = min(score for _, score in pieces) - 2.0
    pieces = [tuple(p) for p in pieces] + [(c, floor) for c in ALPHABET if c not in known and c != " "]
    pieces = (pieces + [(b, floor - 1.0) for b in BYTES])
    if len(pieces) > vocabulary:
        raise SystemExit(f"the tokenizer needs {len(pieces)} entries, the text encoder has {vocabulary}")

    out = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=True))
    out.normalizer, out.pre_tokenizer = shell.normalizer, shell.pre_tokenizer
    out.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    out.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    out.add_special_tokens(SPECIAL)
    return out


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("target/train"))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    tokenizer = build(Shape().text.vocabulary, examples(20_000))
    path = arguments.work / "tokenizer.json"
    tokenizer.save(str(path))
    print(f"{path}: {tokenizer.get_vocab_size()} entries")


if __name__ == "__main__":
    main()
