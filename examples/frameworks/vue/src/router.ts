import { createRouter, createWebHistory } from 'vue-router'
import HomePage from './home-page.vue'
import LoginPage from './login-page.vue'
import OrdersPage from './orders-page.vue'
import ReportsPage from './reports-page.vue'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: HomePage },
    { path: '/login', component: LoginPage },
    { path: '/orders', component: OrdersPage },
    { path: '/reports', component: ReportsPage },
  ],
})
