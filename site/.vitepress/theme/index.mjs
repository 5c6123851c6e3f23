import theme from 'vitepress/theme';
import './plan.css';

export default theme;
