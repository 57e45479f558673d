import { provideHttpClient, withInterceptors } from '@angular/common/http'
import { bootstrapApplication } from '@angular/platform-browser'
import { provideRouter } from '@angular/router'
import { App } from './app'
import { HomePage } from './home-page'
import { LoginPage } from './login-page'
import { OrdersPage } from './orders-page'
import { ReportsPage } from './reports-page'
import { throughSession } from './through-session'

await bootstrapApplication(App, {
  providers: [
    provideHttpClient(withInterceptors([throughSession])),
    provideRouter([
      { path: '', component: HomePage },
      { path: 'login', component: LoginPage },
      { path: 'orders', component: OrdersPage },
      { path: 'reports', component: ReportsPage },
    ]),
  ],
})
