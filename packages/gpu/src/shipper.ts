// What a GPU sends in a phase, cut by the fabric processes that it goes to first: one shipment for each. A list of targets
// that comes again and again is cut once.

import { type Instant, invariant } from "@windtunnel/base";
import { SharedBody, type Shipment } from "@windtunnel/network-plane";
import type { Route, Sending } from "./gpu.ts";

/** All messages that go one way. */
export interface RoutedShipment {
  readonly route: Route;
  readonly shipment: Shipment;
  readonly bytes: number;
}

/** The targets that are reached over one fabric process, and where they stand in the sending. */
interface Way extends Pick<Shipment, "targets" | "entryPorts" | "exitPorts"> {
  readonly route: Route;
  readonly places: Int32Array;
}

export class Shipper {
  readonly #rank: number;
  readonly #routeTo: (rank: number) => Route;
  /** By target, as they are asked for. */
  readonly #routes: (Route | undefined)[] = [];
  readonly #waysOf = new WeakMap<object, readonly Way[]>();

  constructor(rank: number, routeTo: (rank: number) => Route) {
    this.#rank = rank;
    this.#routeTo = routeTo;
  }

  /** In the order in which their first messages stand in the sending. The list of targets must not change afterwards. */
  group(
    common: { readonly exchange: number; readonly sentAt: Instant; readonly header: unknown },
    { targets, bytes, bodies }: Pick<Sending, "targets" | "bytes" | "bodies">,
  ): readonly RoutedShipment[] {
    const isShared = bodies instanceof SharedBody;
    invariant(targets.length === bytes.length, "each message has its bytes");
    invariant(isShared || targets.length === bodies.length, "each message has its body");
    let ways = this.#waysOf.get(targets);
    if (ways === undefined) this.#waysOf.set(targets, (ways = this.#cut(targets)));
    const { exchange, sentAt, header } = common;
    const source = this.#rank;
    return ways.map(({ route, places, targets: ofWay, entryPorts, exitPorts }) => {
      let total = 0;
      for (let index = 0; index < places.length; index++) total += bytes[places[index]!]!;
      const shipment: Shipment = {
        exchange,
        source,
        sentAt,
        header,
        targets: ofWay,
        entryPorts,
        exitPorts,
        bytes,
        places,
        bodies: isShared ? bodies : Array.from(places, (place) => bodies[place]),
      };
      return { route, shipment, bytes: total };
    });
  }

  #cut(targets: Sending["targets"]): Way[] {
    const placesByProcess = new Map<number, number[]>();
    for (let place = 0; place < targets.length; place++) {
      const { process } = this.routeOf(targets[place]!);
      const places = placesByProcess.get(process);
      if (places === undefined) placesByProcess.set(process, [place]);
      else places.push(place);
    }
    return [...placesByProcess.values()].map((places): Way => {
      const routes = places.map((place) => this.routeOf(targets[place]!));
      return {
        route: routes[0]!,
        places: Int32Array.from(places),
        targets: Int32Array.from(places, (place) => targets[place]!),
        entryPorts: Int32Array.from(routes, ({ entryPort }) => entryPort),
        exitPorts: Int32Array.from(routes, ({ exitPort }) => exitPort),
      };
    });
  }

  /** Where what is for a rank goes first. */
  routeOf(target: number): Route {
    return (this.#routes[target] ??= this.#routeTo(target));
  }
}
