"""The API in front: gRPC, the page, and the sweep."""
