"""diffusers' UNet2DModel and UNet2DConditionModel, in folders as diffusers writes them."""

import diffusers
import torch

from .measure import Part, randomise


def build(description, folder):
    config, size = description["reference"]["config"], description["size"]
    model = randomise(getattr(diffusers, config["_class_name"]).from_config(config))
    model.save_pretrained(folder)
    inputs = {"x": torch.randn(1, config["in_channels"], size, size), "timestep": torch.tensor([421])}
    by = {"gradient": "x"}
    if "cross_attention_dim" in config:
        inputs["text"] = torch.randn(1, 77, config["cross_attention_dim"])
        by["text gradient"] = "text"
    return model, [Part("output", inputs, lambda model, x, timestep, text=None: model(x, timestep, *([] if text is None else [text])).sample, by)]
