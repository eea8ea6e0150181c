import { createRoute, lazyRouteComponent, type AnyRoute } from '@tanstack/react-router'

/** The inspector's pages. What they are made of is loaded when one is looked at. */
export function inspectorRoutes<Root extends AnyRoute>(root: Root) {
  const overview = createRoute({
    getParentRoute: () => root,
    path: '/inspect/$sessionId',
    component: lazyRouteComponent(() => import('./overview-page.tsx'), 'OverviewPage'),
  })
  return [overview] as const
}
