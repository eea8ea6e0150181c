import { createRoute, lazyRouteComponent, type AnyRoute } from '@tanstack/react-router'
import { readSearch } from './search.ts'

/** The inspector's pages. What they are made of is loaded when one is looked at. */
export function inspectorRoutes<Root extends AnyRoute>(root: Root) {
  const home = createRoute({
    getParentRoute: () => root,
    path: '/inspect',
    component: lazyRouteComponent(() => import('./home-page.tsx'), 'HomePage'),
  })
  const session = createRoute({
    getParentRoute: () => root,
    path: '/inspect/$sessionId',
    validateSearch: readSearch,
    component: lazyRouteComponent(() => import('./session-layout.tsx'), 'SessionLayout'),
  })
  const overview = createRoute({
    getParentRoute: () => session,
    path: '/',
    component: lazyRouteComponent(() => import('./overview-page.tsx'), 'OverviewPage'),
  })
  const turn = createRoute({
    getParentRoute: () => session,
    path: '/turn/$turnId',
    component: lazyRouteComponent(() => import('./turn-page.tsx'), 'TurnPage'),
  })
  const inference = createRoute({
    getParentRoute: () => session,
    path: '/inference/$inferenceId',
    component: lazyRouteComponent(() => import('./inference-page.tsx'), 'InferencePage'),
  })
  const debug = createRoute({
    getParentRoute: () => session,
    path: '/debug',
    component: lazyRouteComponent(() => import('./debug-page.tsx'), 'DebugPage'),
  })
  const compare = createRoute({
    getParentRoute: () => session,
    path: '/compare',
    component: lazyRouteComponent(() => import('./compare-page.tsx'), 'ComparePage'),
  })
  return [home, session.addChildren([overview, turn, inference, debug, compare])] as const
}
