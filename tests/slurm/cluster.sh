#!/bin/sh
# A Slurm of one node on loopback, from Debian's slurm-wlm and munge, for tests. Needs root.
#
#   tests/slurm/cluster.sh start FOLDER     then: export SLURM_CONF=FOLDER/slurm.conf
#   tests/slurm/cluster.sh stop FOLDER
#
# Everything it writes is in FOLDER, munge's key and socket included; a Slurm of the machine's own is not touched.
set -eu

fail() { echo "error: $1" >&2; exit 1; }

[ $# -eq 2 ] || fail "usage: $0 start|stop FOLDER"
mkdir -p "$2"
folder=$(cd "$2" && pwd)
host=$(hostname -s)

await() {  # what, seconds, command…
    what=$1; seconds=$2; shift 2
    while ! "$@" >/dev/null 2>&1; do
        seconds=$((seconds - 1))
        [ "$seconds" -gt 0 ] || fail "$what did not come up; see $folder/*.log"
        sleep 1
    done
}

configure() {
    cat > "$folder/slurm.conf" <<END
ClusterName=kbb
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    [ "$(id -u)" -eq 0 ] || fail "root starts munge and slurmd"
    for program in munged slurmctld slurmd sbatch; do
        command -v "$program" >/dev/null || fail "$program is not installed: apt-get install slurm-wlm munge"
    done
    mkdir -p "$folder/munge" "$folder/state" "$folder/spool"
    # munge wants folders that nobody else can write; its users reach the socket through them.
    chmod 755 "$folder" "$folder/munge"
    ( umask 077; dd if=/dev/urandom bs=1024 count=1 of="$folder/munge/munge.key" 2>/dev/null )
    chown -R munge:munge "$folder/munge"
    setpriv --reuid=munge --regid=munge --clear-groups munged --force \
        --key-file="$folder/munge/munge.key" --socket="$folder/munge/munge.socket" \
        --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/munged.log" \
        --seed-file="$folder/munge/munged.seed"
    configure "$(free_port)" "$(free_port)"
    export SLURM_CONF="$folder/slurm.conf"
    slurmctld -c
    slurmd -c
    await "the node" 60 idle
}

idle() { [ "$(sinfo --noheader --format %t 2>/dev/null)" = idle ]; }

stop() {
    for name in slurmd.pid slurmctld.pid munge/munged.pid; do
        [ -s "$folder/$name" ] || continue
        pid=$(cat "$folder/$name")
        kill "$pid" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 1; done
        kill -KILL "$pid" 2>/dev/null || true
        rm -f "$folder/$name"
    done
}

case $1 in
    start) start ;;
    stop) stop ;;
    *) fail "usage: $0 start|stop FOLDER" ;;
esac
