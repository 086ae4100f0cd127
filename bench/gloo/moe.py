#!/usr/bin/env python3
"""MoE layers and frames between processes in PyTorch over gloo, as `windtunnel bench moe` and `bench transport` do.

Processes on this machine's loopback, one thread each. Every process holds consecutive ranks with their tokens and
experts, and takes all tokens of its ranks at once. The bytes between processes are real; there is no fabric and no
virtual time. Other weights, tokens and gate than Windtunnel's (softmax), so that only the work is the same, not the
numbers; the first round is checked against all experts in one process. Timed from barrier to barrier.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time

try:
    import torch
    import torch.distributed as dist
    import torch.multiprocessing as multiprocessing
    import torch.nn.functional as functional
except ImportError as error:
    sys.exit(f"moe.py: PyTorch is missing ({error}); on Debian: apt-get install python3-torch")

SEED = 11
MOE_WARM_UPS = 2
# How much of every token is the same for all, which makes some experts better liked than others; as in Windtunnel.
COMMON_PART = 0.25
FRAME_SAMPLES = 5
FRAME_WARM_UPS = 1
# Name, rounds of a sample, int64 elements of a frame; the first is as long as a small frame of Windtunnel.
FRAME_LOADS = [("Small frames", 2000, 17), ("Payloads of 1 MiB", 50, 2**20 // 8)]


def main():
    options = read_options()
    if not dist.is_available() or not dist.is_gloo_available():
        sys.exit("moe.py: this PyTorch was built without gloo; Debian's python3-torch has it")
    # Read by OpenMP when a process loads it, and by gloo, which else would ask the name server for an address.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    results = multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        try:
            multiprocessing.spawn(run_process, (options, meeting, results), options.processes)
        except multiprocessing.ProcessRaisedException as error:
            sys.exit(f"moe.py: {error}")
    rows = results.get()
    if options.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            print_row(row)


def read_options():
    parser = argparse.ArgumentParser(
        prog="moe.py", description="MoE layers and frames between processes in PyTorch over gloo"
    )
    parser.add_argument("name", nargs="?", choices=["moe", "transport"], help="without it, both")
    for name, default, text in [
        ("hidden", 256, "hidden size"),
        ("inter", 128, "inner size of an expert"),
        ("experts", 256, "routed experts"),
        ("topk", 8, "experts of each token"),
        ("ranks", 16, "ranks that share the experts"),
        ("tokens", 64, "tokens of each rank"),
        ("layers", 4, "layers"),
        ("repetitions", 9, "timed repetitions, of which the median counts"),
        ("processes", 2, "processes that share the ranks"),
    ]:
        parser.add_argument(f"--{name}", type=at_least_one, default=default, help=f"{text} (default: {default})")
    parser.add_argument(
        "--exchange",
        choices=["auto", "all-to-all", "pairwise"],
        default="auto",
        help="all_to_all_single, or isend and irecv for each pair; auto: the first where gloo has it",
    )
    parser.add_argument("--json", action="store_true", help="print the rows as one line of JSON and nothing else")
    options = parser.parse_args()
    if options.topk > options.experts:
        parser.error(f"a token can't choose {options.topk} of {options.experts} experts")
    if options.experts % options.ranks != 0:
        parser.error(f"{options.experts} experts don't divide evenly among {options.ranks} ranks")
    if options.processes > options.ranks:
        parser.error(f"{options.processes} processes for {options.ranks} ranks; at most one for each rank")
    if options.processes < 2:
        parser.error("1 process has nobody to exchange with; at least 2")
    return options


def at_least_one(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number from 1, not {text!r}")
    return int(text)


def print_row(row):
    print(row["name"])
    for title in ("work", "rates"):
        for name, value in row[title].items():
            print(f"  {title:5}  {name:26} {value:,.0f}")
    print(f"  time   {'seconds':26} {row['seconds']:.4g}")
    for note in row["notes"]:
        print(f"  {note}")
    print()


def run_process(process, options, meeting, results):
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    dist.init_process_group("gloo", init_method=meeting, rank=process, world_size=options.processes)
    exchange, name = choose_exchange(options.exchange)
    rows = []
    if options.name in (None, "moe"):
        rows.append(measure_moe(options, exchange, name))
    if options.name in (None, "transport"):
        rows.extend(measure_frames(load, exchange, name) for load in FRAME_LOADS)
    # Nobody leaves while another one may still wait for a message.
    dist.barrier()
    if process == 0:
        results.put(rows)
    dist.destroy_process_group()


# Exchanges: `out` gets from each process its rows for this one, in the order of processes; `sent` has them in the same
# order. The splits say how many rows are from and for each.


def choose_exchange(wanted):
    if wanted == "pairwise":
        return pairwise, "isend and irecv for each pair"
    processes = dist.get_world_size()
    ones = [1] * processes
    try:
        all_to_all(torch.zeros(processes), torch.zeros(processes), ones, ones)
    except RuntimeError as error:
        # A gloo without this collective refuses it in every process before anything is sent.
        if wanted == "all-to-all":
            raise
        if "support" not in str(error):
            raise
        return pairwise, "isend and irecv for each pair; this gloo has no all_to_all_single"
    return all_to_all, "all_to_all_single"


def all_to_all(out, sent, out_splits, sent_splits):
    dist.all_to_all_single(out, sent, out_splits, sent_splits)


def pairwise(out, sent, out_splits, sent_splits):
    own = dist.get_rank()
    pending = []
    for other, (into, rows) in enumerate(zip(out.split(out_splits), sent.split(sent_splits))):
        if other == own:
            into.copy_(rows)
            continue
        if into.numel() > 0:
            pending.append(dist.irecv(into, other))
        if rows.numel() > 0:
            pending.append(dist.isend(rows, other))
    for each in pending:
        each.wait()


class Shares:
    """Which ranks, tokens and experts are whose: consecutive ranks on consecutive processes, as evenly as they divide."""

    def __init__(self, options):
        self.processes = options.processes
        self.own = dist.get_rank()
        ranks = [rank * options.processes // options.ranks for rank in range(options.ranks)]
        self.ranks_of = [ranks.count(process) for process in range(options.processes)]
        per_rank = options.experts // options.ranks
        self.experts_of = [count * per_rank for count in self.ranks_of]
        self.own_experts = self.experts_of[self.own]
        self.first_expert = sum(self.experts_of[: self.own])
        self.first_rank = sum(self.ranks_of[: self.own])
        self.own_ranks = range(self.first_rank, self.first_rank + self.ranks_of[self.own])


def drawn(shape, *name):
    """A tensor that depends on its name alone, so that each process draws what it holds."""
    seed = SEED
    for part in name:
        seed = seed * 1_000_003 + part + 1
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.randn(shape, generator=generator)


def draw_gate(options, layer):
    return drawn((options.experts, options.hidden), 1, layer) / math.sqrt(options.hidden)


def draw_expert(options, layer, expert):
    """The gate and up projections as one [2 · inner, hidden], and the down projection [hidden, inner]."""
    up = drawn((2 * options.inter, options.hidden), 2, layer, expert) / math.sqrt(options.hidden)
    down = drawn((options.hidden, options.inter), 3, layer, expert) / math.sqrt(options.inter)
    return up, down


def draw_tokens(options, shares):
    common = COMMON_PART * drawn((options.hidden,), 4)
    return torch.cat([drawn((options.tokens, options.hidden), 5, rank) + common for rank in shares.own_ranks])


def run_expert(expert, rows):
    up, down = expert
    gated, plain = functional.linear(rows, up).chunk(2, dim=1)
    return functional.linear(functional.silu(gated) * plain, down)


def choose_experts(gate, x, topk):
    """Weights and experts of each token, both [tokens, topk]; the weights of a token sum to 1."""
    weights, experts = torch.topk(torch.softmax(functional.linear(x, gate), dim=1), topk, dim=1)
    return weights / weights.sum(dim=1, keepdim=True), experts


class Layer:
    def __init__(self, options, shares, exchange, index):
        self.options, self.shares, self.exchange, self.index = options, shares, exchange, index
        self.gate = draw_gate(options, index)
        first = shares.first_expert
        self.experts = [draw_expert(options, index, first + expert) for expert in range(shares.own_experts)]
        # What rows of one source are for, experts innermost.
        self.expert_of_count = torch.arange(shares.own_experts).repeat(shares.processes)
        self.rows = self.rows_to_others = 0

    def forward(self, x):
        """MoE(x) of this process's tokens [tokens, hidden]."""
        shares, topk = self.shares, self.options.topk
        weights, chosen = choose_experts(self.gate, x, topk)
        chosen = chosen.flatten()
        # Rows by expert, and so by process.
        order = torch.argsort(chosen, stable=True)
        counts = torch.bincount(chosen, minlength=self.options.experts)
        arrived_counts = torch.empty(shares.processes * shares.own_experts, dtype=counts.dtype)
        self.exchange(arrived_counts, counts, [shares.own_experts] * shares.processes, shares.experts_of)
        sent_splits = [int(part.sum()) for part in counts.split(shares.experts_of)]
        arrived_splits = [int(part.sum()) for part in arrived_counts.split(shares.own_experts)]
        arrived = x.new_empty((sum(arrived_splits), x.shape[1]))
        self.exchange(arrived, x[order // topk], arrived_splits, sent_splits)
        computed = self.run_experts(arrived, arrived_counts)
        returned = x.new_empty((len(order), x.shape[1]))
        self.exchange(returned, computed, sent_splits, arrived_splits)
        by_choice = torch.empty_like(returned)
        by_choice[order] = returned
        self.rows = len(order)
        self.rows_to_others = len(order) - sent_splits[shares.own]
        return torch.bmm(weights.unsqueeze(1), by_choice.view(len(x), topk, -1)).squeeze(1)

    def run_experts(self, arrived, counts):
        """Outputs in the order of `arrived`: by source, then by expert."""
        order = torch.argsort(self.expert_of_count.repeat_interleave(counts), stable=True)
        grouped = arrived[order].split(counts.view(self.shares.processes, -1).sum(dim=0).tolist())
        pairs = zip(self.experts, grouped)
        outputs = [run_expert(expert, rows) if len(rows) > 0 else rows for expert, rows in pairs]
        computed = torch.empty_like(arrived)
        computed[order] = torch.cat(outputs)
        return computed

    def check(self, x, out):
        """Refuses an output that is not that of all experts in this process."""
        weights, chosen = choose_experts(self.gate, x, self.options.topk)
        expected = torch.zeros_like(x)
        for index in range(self.options.experts):
            tokens, choices = torch.nonzero(chosen == index, as_tuple=True)
            if len(tokens) == 0:
                continue
            rows = run_expert(draw_expert(self.options, self.index, index), x[tokens])
            expected.index_add_(0, tokens, rows * weights[tokens, choices].unsqueeze(1))
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)


def measure_moe(options, exchange, exchange_name):
    shares = Shares(options)
    layers = [Layer(options, shares, exchange, index) for index in range(options.layers)]
    initial = draw_tokens(options, shares)
    x = initial
    for layer in layers:
        out = layer.forward(x)
        layer.check(x, out)
        x = x + out
    seconds = []
    cpu_seconds = []
    for repetition in range(-MOE_WARM_UPS, options.repetitions):
        x = initial.clone()
        dist.barrier()
        cpu_start, start = time.process_time(), time.perf_counter()
        for layer in layers:
            x += layer.forward(x)
        dist.barrier()
        took, cpu_took = time.perf_counter() - start, time.process_time() - cpu_start
        if repetition >= 0:
            seconds.append(took)
            cpu_seconds.append(cpu_took)
    counted = [
        sum(layer.rows for layer in layers),
        sum(layer.rows_to_others for layer in layers),
        median(cpu_seconds),
    ]
    sums = torch.tensor(counted, dtype=torch.float64)
    dist.all_reduce(sums)
    rows, rows_to_others, all_cpu_seconds = sums.tolist()
    tokens = options.ranks * options.tokens
    token_layers = tokens * options.layers
    if rows != token_layers * options.topk:
        raise AssertionError(f"{rows} rows of {token_layers} token-layers were dispatched")
    gate_work = token_layers * options.hidden * options.experts
    multiply_adds = gate_work + int(rows) * 3 * options.hidden * options.inter
    took = median(seconds)
    sizes = f"hidden {options.hidden}, inner {options.inter}"
    return {
        "name": f"MoE layers, PyTorch over gloo, processes:{options.processes}, {sizes}",
        "work": {
            "tokens": tokens,
            "token-layers": token_layers,
            "rows to experts": int(rows),
            "of them to others": int(rows_to_others),
            "multiply-adds": multiply_adds,
        },
        "seconds": took,
        "rates": {
            "tokens/s": tokens / took,
            "token-layers/s": token_layers / took,
            "token-layers/CPU-s": token_layers / all_cpu_seconds,
            "GF/s": 2 * multiply_adds / took / 1e9,
        },
        "notes": [
            f"median of {options.repetitions}; fastest {min(seconds):.3g} s",
            f"exchange: {exchange_name}",
            "the first round agrees with all experts in one process",
        ],
    }


def measure_frames(load, exchange, exchange_name):
    """Rounds in which each process gives each other one a frame and waits for theirs."""
    name, rounds, elements = load
    processes, own = dist.get_world_size(), dist.get_rank()
    splits = [elements if process != own else 0 for process in range(processes)]
    sent = torch.full((sum(splits),), own, dtype=torch.int64)
    out = torch.empty_like(sent)
    others = [process for process in range(processes) if process != own]
    seconds = []
    for sample in range(-FRAME_WARM_UPS, FRAME_SAMPLES):
        out.fill_(-1)
        dist.barrier()
        start = time.perf_counter()
        for number in range(rounds):
            sent[::elements] = number
            exchange(out, sent, splits, splits)
            if out[::elements].tolist() != [number] * len(others):
                raise AssertionError(f"round {number} got the frames of another round")
        took = time.perf_counter() - start
        if elements > 1 and out[elements - 1 :: elements].tolist() != others:
            raise AssertionError("frames are not those of their senders")
        if sample >= 0:
            seconds.append(took)
    took = median(seconds)
    frames = rounds * processes * (processes - 1)
    frame_bytes = frames * elements * 8
    return {
        "name": f"{name}: gloo, {processes} processes",
        "work": {"frames": frames, "bytes": frame_bytes},
        "seconds": took,
        "rates": {"frames/s": frames / took, "MB/s": frame_bytes / took / 1e6},
        "notes": [f"median of {FRAME_SAMPLES}", f"exchange: {exchange_name}"],
    }


def median(values):
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
