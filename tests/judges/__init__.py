"""Programs of others that judge the example's pages: `make judge`."""
