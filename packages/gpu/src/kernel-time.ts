// How long one kernel runs on some of a GPU's SMs: pure arithmetic over its shape, a hardware profile and the number of
// SMs. It does not know what the kernel is for.
// Invariants: the same bits everywhere (only + - * / and square roots); never less for more work or for fewer SMs.

import { PICOSECONDS_PER_MICROSECOND, PICOSECONDS_PER_SECOND } from "@windtunnel/base";
import type { KernelShape, OperationCost } from "./cost-model.ts";
import type { HardwareProfile } from "./hardware-profile.ts";

/** A matrix product is cut into tiles of so many rows by so many columns, as DeepGEMM's are. */
const TILE_ROWS = [64, 128] as const;
const TILE_COLUMNS = [16, 32, 64, 96, 128, 160, 192, 256] as const;
/** A step of a tile's main loop takes so many bytes of each of its rows and columns. */
const STEP_BYTES = 128;
const OPERAND_BYTES = { fp8: 1, bf16: 2 } as const;

/**
 * The share of SMs that draws the whole HBM bandwidth. By Little's law, 3.35 TB/s at about 0.7 µs need 2.3 MB in flight;
 * an SM keeps 32 KB (2,048 threads with 16 bytes each), or more with asynchronous copies, so 72 of 132 do. Not fitted:
 * no published kernel runs on fewer than 112, where copies reach 3.2 TB/s.
 */
const SATURATING_SHARE = 0.5;

export interface KernelRun {
  readonly cost: OperationCost;
  readonly sms: number;
  readonly profile: HardwareProfile;
}

type ProductShape = Extract<KernelShape, { kind: "product" }>;

/** Picoseconds on the GPU, not yet rounded. */
export function kernelTime(run: KernelRun): number {
  const { cost, sms, profile } = run;
  const { kernels: rates } = profile;
  const { shape } = cost;
  const overhead = cost.kernels * rates.overheadUs * PICOSECONDS_PER_MICROSECOND;
  switch (shape.kind) {
    case "copy":
      return overhead + memoryTime(run, rates.memory);
    case "stream":
      return overhead + memoryTime(run, rates.streaming);
    case "cast":
      return overhead + memoryTime(run, rates.casting);
    case "index":
      return overhead + shape.rows * rates.indexUsPerRow * PICOSECONDS_PER_MICROSECOND;
    case "rows": {
      // A block loads its row and then reduces it: neither hides the other.
      const rowsInTurn = Math.max(1, shape.rows / sms);
      const reducing = rowsInTurn * rates.rowUs * PICOSECONDS_PER_MICROSECOND;
      return overhead + reducing + memoryTime(run, rates.streaming);
    }
    case "product": {
      // The two are hidden in part: where both are equal, they take 1.41 times as long as one.
      const [busy, memory] = [tilesTime(run, shape), memoryTime(run, rates.memory)];
      return overhead + Math.sqrt(busy * busy + memory * memory);
    }
    case "absorbed-attention": {
      const positions = shape.blockPositions + rates.absorbedExtraPositions * shape.queryBlocks;
      const arithmetic = (positions * shape.flopsPerBlockPosition) / rates.absorbedTensor;
      const started = rates.absorbedUs * PICOSECONDS_PER_MICROSECOND;
      return started + attentionTime(run, arithmetic / flopsPerSm(run) / sms);
    }
    default: {
      const arithmetic = cost.flops / rates.expandedTensor / flopsPerSm(run);
      const tiles = shape.tiles * rates.expandedTileUs * PICOSECONDS_PER_MICROSECOND;
      return overhead + attentionTime(run, (arithmetic + tiles) / sms);
    }
  }
}

/** Of the tilings, the one that takes least: waves of tiles over the SMs, each step bound by arithmetic or operands. */
function tilesTime(run: KernelRun, shape: ProductShape): number {
  if (shape.rows === 0) return 0;
  const { cost, sms, profile } = run;
  const { tensor, operandBytesPerSecondPerSm, tileUs } = profile.kernels;
  const operandBytes = OPERAND_BYTES[cost.precision];
  const steps = Math.ceil((shape.inputs * operandBytes) / STEP_BYTES);
  // Of one step, for each element of the tile and for each of its rows and columns.
  const arithmetic = (2 * (STEP_BYTES / operandBytes)) / (tensor * flopsPerSm(run));
  const loading = (STEP_BYTES * PICOSECONDS_PER_SECOND) / operandBytesPerSecondPerSm;
  const fixed = tileUs * PICOSECONDS_PER_MICROSECOND;
  let least = Number.POSITIVE_INFINITY;
  for (const tileRows of TILE_ROWS) {
    const rowTiles = rowTilesOf(shape, tileRows);
    for (const tileColumns of TILE_COLUMNS) {
      const waves = wavesOf(shape, (rowTiles * Math.ceil(shape.outputs / tileColumns)) / sms);
      const step = Math.max(arithmetic * (tileRows * tileColumns), loading * (tileRows + tileColumns));
      least = Math.min(least, waves * (steps * step + fixed));
    }
  }
  return least;
}

/** Tiles along the rows of all matrices; rows of uneven matrices fill the last tile of each by half on average. */
function rowTilesOf({ rows, matrices, spread }: ProductShape, tileRows: number): number {
  if (spread === "even") return matrices * Math.ceil(rows / matrices / tileRows);
  const halfEmpty = spread === "uneven" ? matrices / 2 : 0;
  return Math.max(matrices, rows / tileRows + halfEmpty);
}

/**
 * Rounds of tiles over the SMs. Uneven matrices take one round more than their tiles would fill: a half since the last
 * round is half empty on average, a half since the tiling was chosen for even ones and the larger ones spill over.
 */
function wavesOf({ spread }: ProductShape, rounds: number): number {
  if (spread === "even") return Math.ceil(rounds);
  return spread === "uneven" ? rounds + 1 : Math.max(1, rounds);
}

/** Attention streams its keys and values through long loops and hides them well: 1.19 where both bounds are equal. */
function attentionTime(run: KernelRun, busy: number): number {
  const memory = memoryTime(run, run.profile.kernels.memory);
  const [a, b] = [busy * busy, memory * memory];
  return Math.sqrt(Math.sqrt(a * a + b * b));
}

/** The tensor cores' peak, in floating-point operations per picosecond and SM. */
function flopsPerSm({ cost, profile }: KernelRun): number {
  return profile.flops[cost.precision] / PICOSECONDS_PER_SECOND / profile.sms;
}

function memoryTime({ cost, sms, profile }: KernelRun, efficiency: number): number {
  const share = Math.min(1, sms / (SATURATING_SHARE * profile.sms));
  return (cost.bytes / (profile.memoryBytesPerSecond * efficiency * share)) * PICOSECONDS_PER_SECOND;
}
