//! Fetches Git, OCI and Helm sources and folders into file trees, and pushes commits.
