//! What a Hub does by itself, from time to time. Each task looks at what is there and does what is missing, so that it may be
//! stopped anywhere and several Hubs may do the same at once.

pub mod audit;
pub mod releases;
