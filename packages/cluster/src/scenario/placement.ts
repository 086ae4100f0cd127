// Where the logical processes of a run sit: in this thread, in worker threads, or in processes of their own.
// Written `inline`, `threads:N`, `processes:N` or `processes:N:tcp`; a placement never changes a result.

export type Placement =
  | { readonly kind: "inline" }
  | { readonly kind: "threads"; readonly hosts: number }
  | { readonly kind: "processes"; readonly hosts: number; readonly transport: "ipc" | "tcp" };

export const PLACEMENT_PATTERN: RegExp =
  /^(?:inline|threads:[1-9]\d{0,4}|processes:[1-9]\d{0,4}(?::(?:ipc|tcp))?)$/;
export const ALLOWED_PLACEMENTS = "inline, threads:N, processes:N or processes:N:tcp, with N from 1 to 99999";

/** Reads a text that matches `PLACEMENT_PATTERN`; undefined for any other. */
export function parsePlacement(text: string): Placement | undefined {
  if (!PLACEMENT_PATTERN.test(text)) return undefined;
  const [kind, count, transport] = text.split(":");
  if (kind === "inline") return { kind };
  const hosts = Number(count);
  if (kind === "threads") return { kind, hosts };
  return { kind: "processes", hosts, transport: transport === "tcp" ? "tcp" : "ipc" };
}

/** The short form: `parsePlacement` reads it back. */
export function formatPlacement(placement: Placement): string {
  if (placement.kind === "inline") return "inline";
  if (placement.kind === "threads") return `threads:${placement.hosts}`;
  return `processes:${placement.hosts}${placement.transport === "tcp" ? ":tcp" : ""}`;
}

/** Hosts that a placement asks for; inline is one. */
export function hostCount(placement: Placement): number {
  return placement.kind === "inline" ? 1 : placement.hosts;
}
