// ImageLocality: nodes that have large images already. Source: pkg/scheduler/framework/plugins/imagelocality.
import type { Plugin } from './plugin.ts';

const lowerBytes = 23 * 1024 * 1024;
const upperBytesPerContainer = 1000 * 1024 * 1024;

export const imageLocality: Plugin = {
  name: 'ImageLocality',
  weight: 1,
  score(pod, { nodes }, feasible) {
    const images = (pod.spec?.containers ?? []).map(({ image }) => image ?? '');
    const sizeOn = (node: (typeof nodes)[number], image: string) =>
      node.node.status?.images?.find(({ names }) => names?.includes(image))?.sizeBytes;
    const upperBytes = upperBytesPerContainer * Math.max(1, images.length);
    return new Map(
      feasible.map((state) => {
        // An image that is on few nodes counts less, so that not all its pods go there.
        const bytes = images.reduce((total, image) => {
          const having = nodes.filter((each) => sizeOn(each, image) !== undefined).length;
          return total + ((sizeOn(state, image) ?? 0) * having) / nodes.length;
        }, 0);
        const bounded = Math.min(Math.max(bytes, lowerBytes), upperBytes);
        return [
          state.node.metadata.name,
          Math.floor((100 * (bounded - lowerBytes)) / (upperBytes - lowerBytes)),
        ];
      }),
    );
  },
  helps: () => false,
};
