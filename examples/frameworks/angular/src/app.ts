import { Component, computed, inject } from '@angular/core'
import { RouterLink, RouterOutlet } from '@angular/router'
import { API } from './api'
import { authSession } from './auth-session'

@Component({
  selector: 'app-root',
  imports: [RouterLink, RouterOutlet],
  template: `
    <header>
      <a routerLink="/">Home</a>
      <a routerLink="/orders">Orders</a>
      <a routerLink="/reports">Reports</a>
      <span class="session">
        {{ session().status }}
        @if (isSignedIn()) {
          <button type="button" (click)="signOut()">Sign out</button>
        } @else {
          <a routerLink="/login">Sign in</a>
        }
      </span>
    </header>
    <main>
      <router-outlet />
    </main>
  `,
})
export class App {
  protected readonly signOut = inject(API).signOut
  protected readonly session = authSession()
  protected readonly isSignedIn = computed(() => ['signed-in', 'refreshing'].includes(this.session().status))
}
