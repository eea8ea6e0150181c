import { CSPProvider } from '@base-ui/react/csp-provider'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router'
import { ChatPage, NewChatPage } from './chat/chat-page.tsx'
import { ErrorPage, NotFoundPage } from './error-page.tsx'
import { inspectorRoutes } from './inspector/routes.tsx'
import { basePath } from './session/base.ts'

const rootRoute = createRootRoute({
  component: () => (
    <CSPProvider disableStyleElements>
      <Outlet />
    </CSPProvider>
  ),
})
const newChat = createRoute({ getParentRoute: () => rootRoute, path: '/', component: NewChatPage })
const chat = createRoute({
  getParentRoute: () => rootRoute,
  path: '/c/$sessionId',
  component: ChatPage,
})
const design = createRoute({
  getParentRoute: () => rootRoute,
  path: '/design',
  component: lazyRouteComponent(() => import('./design/design-page.tsx'), 'DesignPage'),
})

export const router = createRouter({
  routeTree: rootRoute.addChildren([newChat, chat, design, ...inspectorRoutes(rootRoute)]),
  basepath: basePath === '' ? '/' : basePath,
  defaultPreload: 'intent',
  defaultErrorComponent: ErrorPage,
  defaultNotFoundComponent: NotFoundPage,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
