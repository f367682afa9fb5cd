"""Token ids of transformers' CLIPTokenizer for 2,000 texts, with the merges of assets/clip/merges.txt.gz."""

import gzip
import json
import random
from pathlib import Path

from . import common  # noqa: F401, first: it prepares the environment

from transformers import CLIPTokenizer

MERGES = Path(__file__).parents[3] / "assets" / "clip" / "merges.txt.gz"
CONTEXT = 77

WORDS = """a an the photo of picture drawing sketch blurry close-up rendering waterbird landbird albatross woodpecker
golden retriever tench fire-truck jack-o'-lantern it's don't we'll they've I'm he'd you're THE Quick BrOwN antidisestablishmentarianism
floccinaucinihilipilification http www example com 3.14159 2024 1,000,000 50% C++ C# x^2 naïve café résumé über Straße ÇA
İstanbul ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ Žluťoučký kůň Смотри вниз Ёлка ІЇЄ שלום مرحبا سلام नमस्ते ಕನ್ನಡ ไทย 你好 世界 漢字 かな カタカナ ﾊﾝｶｸ 한국어 밥
Ａ１ ① Ⅳ ½ ² ﬁ ǅ ß ẞ ſ K Å Ω""".split()
CHARACTERS = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n") + [
    "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b", "\u200d", "\ufeff", "\u0301", "\u0308", "\u00ad", "…", "—", "–", "“", "”", "‘", "’", "«", "»", "¿", "¡",
    "€", "£", "¥", "°", "±", "×", "÷", "→", "∑", "√", "∞", "♥", "☃", "✈️", "😀", "🐦", "👩‍🔬", "👨‍👩‍👧", "🇩🇪", "🏳️‍🌈", "👍🏽", "1️⃣", "𝕬", "𐍈", "𓀀", "\U000e0001", "\ufffd", "\x00", "\x1f", "\x7f",
]
SPECIAL = ["<|endoftext|>", "<|startoftext|>", "<|EndOfText|>", "<|endoftext", "</w>", "'S", "''s", "!'s", "'ve'll", "1's", "a'tb"]


def strings(count=2000):
    pick = random.Random(7)
    result = ["", " ", "\n\t", *WORDS, *CHARACTERS, *SPECIAL, "a" * 300, "é" * 200, "好" * 120, "🐦" * 60, "!" * 500, "7" * 100, " ".join(WORDS), "  a   photo\nof\ta \u3000 cat  "]
    while len(result) < count:
        kind = pick.random()
        if kind < 0.5:  # prompts, with all kinds of words
            result.append(" ".join(pick.choice(WORDS) for _ in range(pick.randint(1, 12))))
        elif kind < 0.8:  # words and marks without regard to spaces
            result.append("".join(pick.choice(pick.choice([WORDS, CHARACTERS, CHARACTERS, SPECIAL])) + pick.choice(["", "", " "]) for _ in range(pick.randint(1, 10))))
        elif kind < 0.9:  # letters of one script each
            first, last = pick.choice([(0x20, 0x7E), (0xA1, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF)])
            result.append("".join(chr(pick.randint(first, last)) for _ in range(pick.randint(1, 12))))
        else:  # longer than the context
            result.append(" ".join(pick.choice(WORDS) for _ in range(pick.randint(60, 90))))
    return result


def vocabulary(count=None):
    """The first `count` merges, and the ids that follow from them: bytes, bytes that end a word, merges, start, end."""
    merges = gzip.decompress(MERGES.read_bytes()).decode().split("\n")[1:-1][:count]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    return {token: id for id, token in enumerate(tokens + ["<|startoftext|>", "<|endoftext|>"])}, merges


def tokenizer(count=None):
    ids, merges = vocabulary(count)
    return CLIPTokenizer(vocab=ids, merges=[tuple(merge.split()) for merge in merges])


def make():
    texts = strings()
    ids = tokenizer()(texts, truncation=True, max_length=CONTEXT)["input_ids"]
    cases = json.dumps([{"text": text, "ids": row} for text, row in zip(texts, ids)])
    (common.FOLDER / "clip_tokens.json.gz").write_bytes(gzip.compress(cases.encode(), mtime=0))
