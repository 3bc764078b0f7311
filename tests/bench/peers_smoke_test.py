# Goal: peers.sh runs, whatever peers are installed, and what it can take on any machine is there.
# Method: its quick mode with the programs of the build tree; the last line is JSON with every measure, and those that
# need no peer are numbers above zero. Figures are not judged: tests run beside each other.
#
#   peers_smoke_test.py BIN_DIR      exit 77: no MNIST, skipped

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WITHOUT_PEERS = ["stream_20", "stream_64", "stream_256", "journal", "infer_rpc_vs_echo", "peak_rss_kib"]
SKIPPED = 77


def main():
    data = os.environ.get("TALLY_DATA_DIR", os.path.join(HERE, "../../../shared/data"))
    if not os.path.exists(os.path.join(data, "mnist/train-images-idx3-ubyte.gz")):
        print("skipped: no MNIST; set TALLY_DATA_DIR")
        return SKIPPED
    with tempfile.TemporaryDirectory() as out:
        ran = subprocess.run([os.path.join(HERE, "peers.sh"), "--quick", "--bin", sys.argv[1], "--out", out],
                             capture_output=True, text=True)
        print(ran.stdout, ran.stderr, sep="\n")
        assert ran.returncode == 0, ran.returncode
        values = json.loads(ran.stdout.splitlines()[-1])
        assert len(values) == 17, sorted(values)
        for key in WITHOUT_PEERS:
            assert values[key] is not None and values[key] > 0, (key, values[key])
        assert values["rss_over_echo_kib"] is not None
        assert sorted(os.listdir(out)) == ["peers.csv", "peers.md", "peers.svg"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
