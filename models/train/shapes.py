"""The sizes of the model, in one place, and the transformers configuration they make.

Everything is published MusicGen apart from one extension: the codec sits between the two
halves of a fixed perfect-reconstruction filter bank (see `filterbank.py`), so it sees
16 bands at 2 kHz instead of one channel at 32 kHz.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FilterBankShape:
    """Cosine-modulated bank: `bands` channels, prototype of `window` samples, hop `hop`."""

    bands: int = 16
    window: int = 32
    hop: int = 16
    padding: int = 8
    sampling_rate: int = 32_000


@dataclass(frozen=True)
class CodecShape:
    """EnCodec at 2 kHz with 16 channels: 40 samples a latent frame, 50 frames a second."""

    channels: int = 16
    sampling_rate: int = 2_000
    filters: int = 56
    ratios: tuple = (8, 5)
    lstm_layers: int = 2
    kernel: int = 7
    last_kernel: int = 7
    residual_kernel: int = 3
    compress: int = 2
    latent: int = 64
    codebooks: int = 4
    codebook_size: int = 2_048
    frame_rate: int = 50


@dataclass(frozen=True)
class TextShape:
    """A small T5 encoder (v1.0: relu, one shared relative position bias)."""

    width: int = 128
    layers: int = 3
    heads: int = 4
    head_width: int = 32
    feed_forward: int = 512
    vocabulary: int = 768


@dataclass(frozen=True)
class DecoderShape:
    """MusicGen's decoder; head width is width / heads."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 1_024
    positions: int = 2_048


@dataclass(frozen=True)
class Shape:
    """The whole checkpoint."""

    bank: FilterBankShape = FilterBankShape()
    codec: CodecShape = CodecShape()
    text: TextShape = TextShape()
    decoder: DecoderShape = DecoderShape()


PAD_TEXT, END_TEXT, UNKNOWN_TEXT = 0, 1, 2


def transformers_config(shape: Shape):
    """`shape` as a `MusicgenConfig`, the extension key `filter_bank` included."""
    from transformers import EncodecConfig, MusicgenConfig, T5Config
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

    c, t, d = shape.codec, shape.text, shape.decoder
    text = T5Config(
        vocab_size=t.vocabulary, d_model=t.width, d_kv=t.head_width, d_ff=t.feed_forward,
        num_layers=t.layers, num_heads=t.heads, feed_forward_proj="relu", dropout_rate=0.0,
        pad_token_id=PAD_TEXT, eos_token_id=END_TEXT,
    )
    audio = EncodecConfig(
        target_bandwidths=[c.codebooks * c.frame_rate * (c.codebook_size.bit_length() - 1) / 1000],
        sampling_rate=c.sampling_rate, audio_channels=c.channels, normalize=False,
        hidden_size=c.latent, num_filters=c.filters, num_residual_layers=1,
        upsampling_ratios=list(c.ratios), norm_type="weight_norm", kernel_size=c.kernel,
        last_kernel_size=c.last_kernel, residual_kernel_size=c.residual_kernel,
        dilation_growth_rate=2, use_causal_conv=False, pad_mode="reflect", compress=c.compress,
        num_lstm_layers=c.lstm_layers, codebook_size=c.codebook_size, codebook_dim=c.latent,
        use_conv_shortcut=False,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=c.codebook_size, max_position_embeddings=d.positions,
        num_hidden_layers=d.layers, ffn_dim=d.feed_forward, num_attention_heads=d.heads,
        hidden_size=d.width, num_codebooks=c.codebooks, audio_channels=1,
        activation_function="gelu", dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        layerdrop=0.0, scale_embedding=False, tie_word_embeddings=False,
        pad_token_id=c.codebook_size, bos_token_id=c.codebook_size, eos_token_id=None,
    )
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict())
    config.audio_encoder.filter_bank = vars(shape.bank).copy()
    return config
