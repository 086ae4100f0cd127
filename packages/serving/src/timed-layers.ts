// How the layers of the timed model follow from those of the executed one. Each executed layer runs once; the timed
// model's further MoE layers take the routing of the executed ones in turn, without payload.

import { inputError } from "@windtunnel/base";
import type { ModelConfig } from "@windtunnel/model";

export interface TimedLayer {
  /** Number in the timed model. */
  readonly layer: number;
  readonly kind: "dense" | "moe";
  /** Layer of the executed model that runs here; undefined where only time passes. */
  readonly executed: number | undefined;
  /** The layer whose routing decides the traffic: an executed one, or where nothing is executed its own. */
  readonly routedBy: number;
}

/** Refuses pairs of models that can't drive each other. */
export function mapLayers(timed: ModelConfig, executed: ModelConfig): TimedLayer[] {
  const moeCount = (config: ModelConfig): number => config.layerCount - config.denseLayerCount;
  requireEqual("routed experts", timed.expertCount, executed.expertCount);
  requireEqual("experts per token", timed.expertsPerToken, executed.expertsPerToken);
  requireAtLeast("dense layers", timed.denseLayerCount, executed.denseLayerCount);
  requireAtLeast("MoE layers", moeCount(timed), moeCount(executed));
  return Array.from({ length: timed.layerCount }, (_, layer): TimedLayer => {
    if (layer < timed.denseLayerCount) {
      const runs = layer < executed.denseLayerCount;
      return { layer, kind: "dense", executed: runs ? layer : undefined, routedBy: -1 };
    }
    const index = layer - timed.denseLayerCount;
    const runs = index < moeCount(executed);
    const routedBy = executed.denseLayerCount + (index % moeCount(executed));
    return { layer, kind: "moe", executed: runs ? routedBy : undefined, routedBy };
  });
}

/** Nothing is executed: every MoE layer of the timed model has a routing of its own. */
export function layersWithoutMath(timed: ModelConfig): TimedLayer[] {
  return Array.from({ length: timed.layerCount }, (_, layer): TimedLayer => {
    const kind = layer < timed.denseLayerCount ? "dense" : "moe";
    return { layer, kind, executed: undefined, routedBy: layer };
  });
}

function requireEqual(what: string, timed: number, executed: number): void {
  if (timed === executed) return;
  throw inputError(
    `the timed model has ${timed} ${what}, the executed one ${executed}; they must be the same`,
    {
      path: "timing.model",
      found: timed,
      allowed: executed,
    },
  );
}

function requireAtLeast(what: string, timed: number, executed: number): void {
  if (timed >= executed) return;
  throw inputError(`the timed model has ${timed} ${what}, fewer than the ${executed} of the executed one`, {
    path: "timing.model",
    found: timed,
    allowed: `at least ${executed}`,
  });
}
