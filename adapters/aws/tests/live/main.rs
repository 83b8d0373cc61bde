//! The adapters against an AWS emulator, which `live/run` starts.

mod aws;
mod replay;
