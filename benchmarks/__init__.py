"""How long things take here, in raw aiortc, and in browsers: ``make bench``. See README.md."""
