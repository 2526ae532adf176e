# Node: worker threads, its pool for files and cryptography, child processes.
set -e
command -v node > /dev/null || { echo "skipped: no node"; exit 77; }
cat > main.js <<'J'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
    let left = 3, sum = 0;
    for (let i = 1; i <= 3; i++)
        new Worker(__filename, { workerData: i }).on('message', value => {
            sum += value;
            if (--left) return;
            console.log(sum);
            require('fs').readFile(__filename, (error, data) => {
                console.log(error, data.length);
                require('crypto').pbkdf2('a', 'b', 1000, 16, 'sha1', (error, key) => {
                    console.log(key.toString('hex'));
                    require('child_process').exec('echo child', (error, out) => process.stdout.write(out));
                });
            });
        });
} else {
    let sum = 0;
    for (let i = 0; i < 300000; i++) sum += i % workerData;
    parentPort.postMessage(sum);
}
J
timeout 50 node main.js
rm main.js
