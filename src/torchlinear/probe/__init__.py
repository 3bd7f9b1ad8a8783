"""Linear probes: softmax regressions of many penalties on the same embeddings, which share each pass over them."""
