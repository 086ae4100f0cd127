// What a link is, by its name: names are the network's own and the same in overrides, recordings and reports.

/** Between a GPU, its NIC and host memory: "node 0 pcie / gpu 1 > root". */
export function isPcieLink(name: string): boolean {
  return / pcie \//.test(name);
}

/** Between switches, in the direction to a spine or from one: "plane 3 / leaf 0 > spine 5". */
export function directionBetweenSwitches(name: string): "up" | "down" | undefined {
  if (/> spine \d/.test(name)) return "up";
  return /spine \d+ >/.test(name) ? "down" : undefined;
}
