# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A model in a notebook
#
# Open this file in Jupyter with jupytext, or make a notebook of it: `jupytext --to ipynb docs/notebook.py`.
# It needs `nextchar`, pandas and matplotlib, and runs in the project's folder. There is no server.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import nextchar

model = nextchar.load("models/domains")
print(model)

# %% [markdown]
# Score many strings into a frame: 100,000 names made of syllables, as in the benchmark of scoring.

# %%
rng = np.random.default_rng(0)
syllables = np.array([c + v + e for c in "bcdfghjklmnprstvwz" for v in "aeiou" for e in ["", "n", "r", "s"]])
picks = rng.integers(0, len(syllables), (100_000, 5))
lengths = rng.integers(2, 6, len(picks))
frame = pd.DataFrame({"name": ["".join(syllables[row[:n]]) for row, n in zip(picks, lengths, strict=True)]})

# %%
frame["logprob"] = model.logprobs(frame["name"])
frame["bits_per_char"] = -frame["logprob"] / frame["name"].str.len() / np.log(2)
frame.sort_values("bits_per_char").head()

# %% [markdown]
# Plot them, and mark two that a person would tell apart.

# %%
axes = frame["bits_per_char"].plot.hist(bins=60, color="#1f5fa8")
for name in ["google", "xkqzvw"]:
    bits = -model.logprobs([name])[0] / len(name) / np.log(2)
    axes.axvline(bits, color="#c2571a")
    axes.annotate(name, (bits, axes.get_ylim()[1] * 0.9))
axes.set_xlabel("bits per character")
plt.show()

# %% [markdown]
# A session keeps the state after what it has read.

# %%
with model.session(prime="face", seed=1) as session:
    likeliest = session.next(top=3)
    session.feed("b")
    text = session.sample(max_tokens=20, temperature=0.5).choices[0].text
print([(item.char, round(item.probability, 2)) for item in likeliest.data], repr(text))

# %% [markdown]
# The hidden states after each character are arrays.

# %%
states = model.states("facebook")
plt.imshow(states["hidden_0"].T[:64], aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1)
plt.xticks(range(8), "facebook")
plt.show()

# %%
model.close()
