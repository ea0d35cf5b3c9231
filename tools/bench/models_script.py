"""The shortest script that asks for the list of models: what `models list` is measured by.

Usage: python tools/bench/models_script.py   (NSCALE_BASE_URL, NSCALE_API_KEY)
"""

import os

import openai

client = openai.OpenAI(api_key=os.getenv("NSCALE_API_KEY"), base_url=os.getenv("NSCALE_BASE_URL"))
for model in client.models.list():
    print(model.id)
