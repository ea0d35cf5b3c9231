"""The offline server: the API's answers, without a key, a network or a cost."""
