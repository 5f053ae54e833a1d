"""Encoders of the Hugging Face hub, by ``hf:NAME``: any text model, any vision or CLIP-like model.

NAME is a model of the hub or a local folder. Weights are read from safetensors only, code that comes with a model is
never run, and pictures go through transformers' PIL processors, so that torchvision is not needed. A text or picture is
one vector (``encode``) or several tokens (``encode_tokens``). The text and the picture vectors of a CLIP-like model lie
in one space (Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021).
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from math import isqrt
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from danggol.encoders.cache import RowCache, encoded, key_of
from danggol.encoders.pictures import Picture, picture_key, read
from danggol.errors import UsageError
from danggol.training import device_of

T = TypeVar("T")
PREFIX = "hf:"
_WRONG = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError, IndexError),
    SafetensorError,
)
"""What transformers raises where a model is not there, is damaged, or is of another kind."""

_POOLING, _FIRST = "1_Pooling/config.json", "pooling_mode_cls_token"
_MOST = 6e4
"""States beyond do not fit into the 16 bits that tokens are kept in."""


class _Frozen:
    """A model of the hub that is only read; :class:`TextEncoder` and :class:`ImageEncoder` say how."""

    output_dim: int
    """numbers of a vector"""
    token_dim: int
    """numbers of a token"""

    def __init__(self, name: str, cache: Path | None, batch: int, device: str) -> None:
        self.name, self._folder, self._batch = name, cache, batch
        self.device = device_of(device)
        self._model = self._load("safetensors weights", _weights).to(self.device).eval()

    def _load(self, what: str, load: Callable[[Any, str], T]) -> T:
        """A part of the model by the library. UsageError: it is not there, or cannot be read."""
        source = self.name.removeprefix(PREFIX)
        if source.startswith((".", "/", "~")):
            source = str(Path(source).expanduser())
            if not Path(source).is_dir():
                raise UsageError(f"the encoder {self.name} names a folder that is not there")
        library = transformers_library()
        try:
            with _quiet(library):
                return load(library, source)
        except _WRONG as error:
            raise UsageError(
                f"the encoder {self.name} cannot be used: it has no {what} that can be read ({_first_line(error)}); "
                "say hf: and a model that the hub has and this machine can reach, or a folder with one"
            ) from error

    def _probed(self, probe: Callable[[], tuple[Tensor, Tensor]]) -> None:
        """Learn the sizes from one example."""
        pooled, tokens = self._load("states of that kind", lambda *_: probe())
        self.output_dim, self.token_dim = int(pooled.shape[1]), int(tokens.shape[-1])

    def _cache(self, what: str, shape: tuple[int, ...], dtype: str, more: str) -> RowCache | None:
        """Rows of this very model: its weights and all that comes before them are in the name."""
        if self._folder is None:
            return None
        said = hashlib.sha256(f"{self._digest} {more}".encode()).hexdigest()[:16]
        return RowCache(self._folder, f"hf-{said}-{what}", shape, dtype)

    @cached_property
    def _digest(self) -> str:
        """Of the model's kind, settings and weights."""
        said = hashlib.sha256(f"{type(self._model).__name__} {self._model.config.to_json_string()}".encode())
        for tensor in self._model.state_dict().values():
            said.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return said.hexdigest()

    def _moved(self, inputs: Any) -> dict[str, Tensor]:
        return {name: values.to(self.device) for name, values in inputs.items()}


class TextEncoder(_Frozen):
    """Texts to vectors and tokens; see :func:`text_encoder`."""

    def __init__(self, name: str, cache: Path | None, batch: int, device: str, length: int) -> None:
        super().__init__(name, cache, batch, device)
        self._tokenizer = self._load("tokenizer", lambda library, at: library.AutoTokenizer.from_pretrained(at))
        self._length = min(length, int(self._tokenizer.model_max_length))
        self._pooling = self._load("tokenizer", _pooling)
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        # told before the first use, which leaves its padding in the tokenizer
        words = self._tokenizer.get_vocab() if backend is None else json.loads(backend.to_str())
        self._said = f"{json.dumps(words, sort_keys=True)} {self._length} {self._pooling}"
        config = self._model.config
        # SigLIP was trained on texts of full length only
        self._padding = "max_length" if str(config.model_type).startswith("siglip") else True
        with torch.no_grad():
            self._probed(lambda: self._read(["a"])[:2])

    @property
    def model(self) -> torch.nn.Module:
        """The model itself, whose weights want no gradient; :mod:`.fine_tuning` trains it."""
        found: torch.nn.Module = self._model
        return found

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Vectors (texts, output_dim) of texts that are not blank, with the gradient that the weights want."""
        return self._read(list(texts))[0]

    def settle(self) -> None:
        """Round the weights, once trained, to the 16 bits that :meth:`save` keeps; rows cached before are others'."""
        with torch.no_grad():
            for value in self._model.state_dict().values():
                value.copy_(value.half() if value.is_floating_point() else value)
        self._model.requires_grad_(False).eval()
        vars(self).pop("_digest", None)

    def save(self, folder: Path) -> None:
        """Write the model, its numbers in 16 bits, the tokenizer and the pooling to a folder that ``hf:`` can name."""
        weights: dict[str, Tensor] = {}
        seen: dict[tuple[int, torch.Size], Tensor] = {}
        for name, value in self._model.state_dict().items():
            # a tensor that the model has under two names stays one
            place = (value.data_ptr(), value.shape)
            seen.setdefault(place, (value.half() if value.is_floating_point() else value).cpu())
            weights[name] = seen[place]
        with _quiet(transformers_library()):
            self._model.save_pretrained(folder, state_dict=weights, max_shard_size="500GB")
            self._tokenizer.save_pretrained(folder)
        pooling = folder / _POOLING
        pooling.parent.mkdir(exist_ok=True)
        pooling.write_text(json.dumps({_FIRST: self._pooling == "first"}), "utf8")

    def encode(self, texts: Sequence[str | None]) -> NDArray[np.float32]:
        """Vectors (texts, output_dim), not scaled to length 1; nan where a text is missing or blank."""
        cache = self._cache("text", (self.output_dim,), "float32", self._said)

        def some(places: list[int]) -> NDArray[np.float32]:
            with torch.no_grad():
                return _array(self.vectors([texts[place] or "" for place in places]))

        rows: NDArray[np.float32] = self._through(texts, some, (self.output_dim,), "float32", cache)
        return rows

    def encode_tokens(self, texts: Sequence[str | None], tokens: int) -> NDArray[np.float16]:
        """States (texts, tokens, token_dim) of the first ``tokens`` tokens, special ones too; nan beyond the end."""
        shape = (tokens, self.token_dim)
        cache = self._cache(f"text-tokens{tokens}", shape, "float16", self._said)

        def some(places: list[int]) -> NDArray[np.float32]:
            with torch.no_grad():
                _, states, there = self._read([texts[place] or "" for place in places])
            rows = np.full((len(places), *shape), np.nan, np.float32)
            first = _array(states.masked_fill(~there[:, :, None].bool(), torch.nan)[:, :tokens])
            rows[:, : first.shape[1]] = first
            return rows

        kept: NDArray[np.float16] = self._through(texts, some, shape, "float16", cache)
        return kept

    def pieces(self, texts: Sequence[str | None], tokens: int) -> list[list[str]]:
        """The subwords behind :meth:`encode_tokens`, special ones included."""
        return [
            self._tokenizer.convert_ids_to_tokens(self._coded([text])["input_ids"][0])[:tokens]
            if text and text.strip()
            else []
            for text in texts
        ]

    def _through(self, texts: Sequence[str | None], some: Any, shape: Any, dtype: str, cache: RowCache | None) -> Any:
        keys = [key_of(text.encode("utf8", "surrogatepass")) if text and text.strip() else None for text in texts]
        return encoded(keys, some, shape, dtype, cache=cache, batch=self._batch, name="texts")

    def _coded(self, texts: Sequence[str], **more: Any) -> Any:
        return self._tokenizer(list(texts), truncation=True, max_length=self._length, **more)

    def _read(self, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors, states and which states are there, of texts."""
        coded = self._coded(texts, padding=self._padding, return_tensors="pt")
        inputs = self._moved(coded)
        there = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
        model = self._model
        if hasattr(model, "get_text_features"):
            found = model.get_text_features(**inputs)
            return found.pooler_output, found.last_hidden_state.clamp(-_MOST, _MOST), there
        if getattr(model.config, "is_encoder_decoder", False):
            model = model.get_encoder()
        states = model(**inputs).last_hidden_state.clamp(-_MOST, _MOST)
        if self._pooling == "first":
            return states[torch.arange(len(states)), there.argmax(dim=1)], states, there
        weight = there[:, :, None].to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1), states, there


class ImageEncoder(_Frozen):
    """Pictures to vectors and tokens; see :func:`image_encoder`."""

    broken = 0
    """Pictures of the last call that could not be read."""

    def __init__(self, name: str, cache: Path | None, batch: int, device: str) -> None:
        super().__init__(name, cache, batch, device)
        self._processor = self._load(
            "image processor for PIL",
            lambda library, at: library.AutoImageProcessor.from_pretrained(at, backend="pil"),
        )
        self._probed(lambda: self._read([Image.new("RGB", (64, 64))], 1))

    def encode(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors (pictures, output_dim), not scaled to length 1; nan where a picture is missing or broken."""
        rows: NDArray[np.float32] = self._through(pictures, 0, (self.output_dim,), "float32")
        return rows

    def encode_tokens(self, pictures: Sequence[Picture], grid: int = 3) -> NDArray[np.float16]:
        """States (pictures, grid x grid, token_dim): means of the patches of each region, row by row from the upper
        left; nan where a picture is missing or broken."""
        rows: NDArray[np.float16] = self._through(pictures, grid, (grid * grid, self.token_dim), "float16")
        return rows

    def _through(self, pictures: Sequence[Picture], grid: int, shape: tuple[int, ...], dtype: str) -> Any:
        """Vectors where ``grid`` is 0, tokens otherwise."""
        what = f"image-tokens{grid}" if grid else "image"
        cache = self._cache(what, shape, dtype, str(self._processor.to_json_string()))

        def some(places: list[int]) -> NDArray[np.float32]:
            opened = [read(pictures[place]) for place in places]
            rows = np.full((len(places), *shape), np.nan, np.float32)
            good = [nth for nth, one in enumerate(opened) if one is not None]
            if good:
                rows[good] = _array(self._read([one for one in opened if one is not None], max(grid, 1))[bool(grid)])
            return rows

        keys = [picture_key(picture) for picture in pictures]
        rows = encoded(keys, some, shape, dtype, cache=cache, batch=self._batch, name="pictures")
        lost = np.isnan(rows).reshape(len(rows), -1).all(axis=1)
        self.broken = int(lost.sum()) - sum(picture is None for picture in pictures)
        return rows

    def _read(self, pictures: list[Image.Image], grid: int) -> tuple[Tensor, Tensor]:
        """Vectors (pictures, output_dim) and states of regions (pictures, grid x grid, token_dim)."""
        inputs = self._moved(self._processor(images=pictures, return_tensors="pt"))
        model, height, width = self._model, *inputs["pixel_values"].shape[-2:]
        with torch.inference_mode():
            joint = hasattr(model, "get_image_features")
            found = model.get_image_features(**inputs) if joint else model(**inputs)
        states = found.last_hidden_state.clamp(-_MOST, _MOST)
        if states.ndim == 3:
            lead, patches = _laid_out(states, height, width, self._patch())
        else:
            lead, patches = None, states
        regions = torch.nn.functional.adaptive_avg_pool2d(patches, grid).flatten(2).transpose(1, 2)
        if joint:
            return found.pooler_output, regions
        return patches.mean(dim=(2, 3)) if lead is None else lead, regions

    def _patch(self) -> int:
        """Pixels of a side of a patch; 0 where the model does not say."""
        config = getattr(self._model.config, "vision_config", self._model.config)
        found = getattr(config, "patch_size", 0)
        return int(found[0] if isinstance(found, (list, tuple)) else found)


def text_encoder(
    name: str, cache: Path | None = None, *, batch: int = 32, device: str = "auto", length: int = 128
) -> TextEncoder:
    """A frozen text encoder: ``encode(texts)`` gives (texts, output_dim), ``encode_tokens(texts, n)`` several tokens.

    The vector is the model's own where it is CLIP-like, the first token's state where the model says so (a file
    1_Pooling/config.json, as sentence-transformers write it), and the mean of the states otherwise. ``cache``: a folder
    that keeps what was encoded, by content; ``length``: tokens of a text that are read, at most. UsageError: no such
    model, no network, or no transformers.
    """
    return TextEncoder(_checked(name), cache, batch, device, length)


def image_encoder(name: str, cache: Path | None = None, *, batch: int = 32, device: str = "auto") -> ImageEncoder:
    """A frozen image encoder: ``encode(pictures)`` gives (pictures, output_dim), ``encode_tokens`` regions.

    The vector is the model's own where it is CLIP-like, the class token's state where there is one, and the mean of the
    patches otherwise. Pictures are paths or bytes. ``cache`` and errors as in :func:`text_encoder`.
    """
    return ImageEncoder(_checked(name), cache, batch, device)


def _checked(name: str) -> str:
    if not name.startswith(PREFIX) or name == PREFIX:
        raise UsageError(f"there is no encoder {name!r}; say hf: and the name of a Hugging Face model, or a folder")
    return name


def transformers_library() -> Any:
    """The library. UsageError: it is not installed."""
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise UsageError("encoders hf:NAME need the library transformers; pip install 'danggol[hf]'") from error


def _weights(library: Any, source: str) -> Any:
    """The model, all of whose weights must be in the files; a head that only pools may be missing, it is not used."""
    model, told = library.AutoModel.from_pretrained(
        source, use_safetensors=True, dtype=torch.float32, output_loading_info=True
    )
    joint = hasattr(model, "get_text_features")
    lost = [name for name in told["missing_keys"] if joint or "pooler" not in name]
    if lost:
        raise ValueError(f"{len(lost)} weights are missing, {min(lost)} for one")
    weights = model.requires_grad_(False).state_dict()
    for name in told["missing_keys"]:
        weights[name].zero_()
    return model


def _pooling(_: Any, source: str) -> str:
    hub = importlib.import_module("transformers.utils")
    said = hub.cached_file(
        source,
        _POOLING,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    first = said is not None and json.loads(Path(said).read_text("utf8")).get(_FIRST)
    return "first" if first else "mean"


def _laid_out(states: Tensor, height: int, width: int, patch: int) -> tuple[Tensor | None, Tensor]:
    """The class token (pictures, dim), None where there is none, and the patches (pictures, dim, down, across)."""
    tokens = states.shape[1]
    down, across = (height // patch, width // patch) if patch else (0, 0)
    if not 0 < down * across <= tokens:
        # stages that merge patches leave fewer of them
        down = across = isqrt(tokens)
    extra = tokens - down * across
    patches = states[:, extra:].transpose(1, 2).reshape(len(states), -1, down, across)
    return (states[:, 0] if extra else None), patches


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Without the library's own notes and bars; what goes wrong is said by its errors."""
    log = library.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.float().cpu().numpy()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:150].rstrip(".")
