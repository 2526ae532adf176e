# A Rust program: std's threads, scopes, channels, parking, barriers and locks, crossbeam-channel and rayon.
program=$(dirname "${BASH_SOURCE[0]}")/../build/rust/threads
[[ -x $program ]] || { echo "skipped: no cargo, or its crates can't be had"; exit 77; }
# The message of a thread that panics has its id.
"$program" 2> errors
echo "status $?"
grep -c 'panicked at' errors
rm errors
