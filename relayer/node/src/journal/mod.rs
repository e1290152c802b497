//! The journal on disk: append-only, checksummed, hash-chained, fsynced before anything leaves the process.
