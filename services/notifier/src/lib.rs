//! The notifier: receipts and failure mails.
