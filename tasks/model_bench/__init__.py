"""Speed and memory of a model beside the best that transformers does with the same weights, measured in pairs."""
