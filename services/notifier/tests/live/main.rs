//! Tests against servers over the network, which `live/run` starts. Each passes without testing
//! anything if the variable of its server is not set.

mod notifier;
