//! Replays of dead letters: nothing is lost, what was sent twice is named, nothing else is touched.
//! On the embedded queues, on the same with moves in steps (as on SQS), and on queues in memory.

mod canary;
mod causes;
mod cuts;
mod fate;
mod fifo;
mod kills;
mod limits;
mod planted;
mod queue;
mod support;
