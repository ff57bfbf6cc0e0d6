/** The interface's own words in both languages; titles of layers and fields come from the catalogue. */
export type Lang = "zh" | "en";

export interface Text {
  zh: string;
  en: string;
}

const WORDS = {
  layers: { zh: "图层", en: "Layers" },
  show_layers: { zh: "显示图层 (K)", en: "Show layers (K)" },
  hide_layers: { zh: "收起图层 (K)", en: "Hide layers (K)" },
  key_layers: { zh: "显示、收起图层", en: "Show or hide the layers" },
  hint_empty: { zh: "暂无数据", en: "No data yet" },
  hint_transparent: { zh: "已设为全透明", en: "Fully transparent" },
  make_opaque: { zh: "取消透明", en: "Make opaque" },
  hint_not_yet: { zh: "所选日期尚无数据，始于{0}", en: "Not there yet on this day; begins on {0}" },
  go_to_first_day: { zh: "转到起始日", en: "Go to the first day" },
  hint_no_longer: { zh: "所选日期已无数据，止于{0}", en: "No longer there on this day; last seen on {0}" },
  go_to_last_day: { zh: "转到最后一日", en: "Go to the last day" },
  hint_ground: { zh: "被地面遮挡", en: "Hidden below the ground" },
  open_ground: { zh: "透视地面", en: "See through the ground" },
  hint_too_far: { zh: "当前比例尺下不显示", en: "Not drawn from so far away" },
  zoom_in: { zh: "放大查看", en: "Zoom in" },
  ground_opened: { zh: "地面已转为透明，以显示地下内容", en: "The ground is now see-through, to show what lies below" },
  comma: { zh: "、", en: ", " },
  link_layers_missing: { zh: "链接中的图层不存在或未对您开放：{0}", en: "Layers of this link do not exist or are not open to you: {0}" },
  link_scene_missing: { zh: "链接中的场景不存在", en: "The scene of this link does not exist" },
  scene_closed: { zh: "此场景的图层不存在或未对您开放。", en: "The layers of this scene do not exist or are not open to you." },
  scene_partly_closed: { zh: "此场景的部分图层不存在或未对您开放。", en: "Some layers of this scene do not exist or are not open to you." },
  history: { zh: "历史状态", en: "History" },
  history_failed: { zh: "历史状态暂时无法读取", en: "The history cannot be read at the moment" },
  from_until: { zh: "{0}—{1}", en: "{0} – {1}" },
  until_further: { zh: "至今", en: "no end known" },
  version: { zh: "版本", en: "Version" },
  show_feature: { zh: "查看要素", en: "show feature" },
  feature_withheld: { zh: "此要素或其图层不存在或未对您开放。", en: "This feature or its layer does not exist or is not open to you." },
  color_red: { zh: "红", en: "red" },
  color_orange: { zh: "橙", en: "orange" },
  color_brown: { zh: "棕", en: "brown" },
  color_yellow: { zh: "黄", en: "yellow" },
  color_green: { zh: "绿", en: "green" },
  color_cyan: { zh: "青", en: "cyan" },
  color_blue: { zh: "蓝", en: "blue" },
  color_purple: { zh: "紫", en: "purple" },
  color_white: { zh: "白", en: "white" },
  color_grey: { zh: "灰", en: "grey" },
  color_black: { zh: "黑", en: "black" },
  legend: { zh: "图例", en: "Legend" },
  transparency: { zh: "透明度", en: "Transparency" },
  zoom_to: { zh: "缩放至图层", en: "Zoom to layer" },
  more: { zh: "图层详情", en: "Layer details" },
  classification: { zh: "密级", en: "Classification" },
  classification_is: { zh: "密级：{0}", en: "Classification: {0}" },
  approval_is: { zh: "审图号：{0}", en: "Map approval number: {0}" },
  map_approval: { zh: "审图号：", en: "Map approval number:" },
  show_empty: { zh: "显示空图层", en: "Show empty layers" },
  hide_empty: { zh: "收起空图层", en: "Hide empty layers" },
  features: { zh: "个要素", en: "features" },
  search: { zh: "搜索名称、地址、点号…", en: "Search names, addresses, point numbers…" },
  search_label: { zh: "搜索", en: "Search" },
  nothing_found: { zh: "没有找到“{0}”，换一个词试试", en: "Nothing found for “{0}”. Try another word." },
  searching: { zh: "搜索中…", en: "Searching…" },
  attributes: { zh: "属性", en: "Attributes" },
  no_value: { zh: "无", en: "none" },
  other_attributes: { zh: "源数据的其他属性", en: "Other attributes of the source" },
  property_sets: { zh: "属性集", en: "Property sets" },
  fly_to: { zh: "定位到此", en: "Fly to" },
  item_page: { zh: "打开要素页面", en: "Open item page" },
  copy_id: { zh: "复制标识码", en: "Copy id" },
  copied: { zh: "已复制", en: "Copied" },
  copy_by_hand: { zh: "浏览器不允许自动复制，请按 Ctrl+C（Mac 为 ⌘C）复制：", en: "The browser does not let the page copy. Press Ctrl+C (⌘C on a Mac) to copy:" },
  also_here: { zh: "此处还有", en: "Also here" },
  close: { zh: "关闭", en: "Close" },
  try_now: { zh: "立即重试", en: "Try now" },
  connection_lost: { zh: "暂时连接不上服务器，正在自动重试；画面和量测结果均已保留。", en: "The server cannot be reached. Trying again by itself; the view and your measurements stay." },
  connection_back: { zh: "连接已恢复", en: "Connected again" },
  no_answer: { zh: "服务器没有响应", en: "no answer from the server" },
  part_failed: { zh: "有一部分功能未能启动：{0}", en: "A part of the viewer did not start: {0}" },
  retry: { zh: "重试", en: "Try again" },
  reload: { zh: "重新加载", en: "Reload" },
  loading: { zh: "读取中…", en: "Loading…" },
  home: { zh: "全图", en: "Whole town" },
  north: { zh: "指北", en: "North up" },
  underground: { zh: "地下模式", en: "Underground" },
  light: { zh: "光照", en: "Light" },
  hour: { zh: "时刻", en: "Hour" },
  sun_hours: { zh: "日出 {0}，日落 {1}", en: "Sunrise {0}, sunset {1}" },
  massing: { zh: "体块模式（不显示门窗）", en: "Plain massing, no windows" },
  quality: { zh: "画质", en: "Quality" },
  quality_auto: { zh: "自动", en: "Automatic" },
  quality_low: { zh: "低", en: "Low" },
  quality_middle: { zh: "中", en: "Middle" },
  quality_high: { zh: "高", en: "High" },
  ground: { zh: "地面", en: "Ground" },
  ground_opacity: { zh: "地面不透明度", en: "Ground opacity" },
  measure_length: { zh: "长度", en: "Length" },
  measure_height: { zh: "高差", en: "Height" },
  measure_area: { zh: "面积", en: "Area" },
  measure_point: { zh: "坐标", en: "Coordinates" },
  measure_clear: { zh: "清除量测", en: "Clear" },
  measure_delete: { zh: "删除此项量测", en: "Delete this measurement" },
  measure_hint_length: { zh: "单击加点，双击结束，Esc 取消", en: "Click to add points, double-click to end, Esc to cancel" },
  measure_hint_height: { zh: "单击下端和上端两点", en: "Click the lower and the upper point" },
  measure_hint_area: { zh: "单击加点，双击闭合，Esc 取消", en: "Click corners, double-click to close, Esc to cancel" },
  measure_hint_point: { zh: "单击读取坐标", en: "Click to read coordinates" },
  length_3d: { zh: "空间长度", en: "3D length" },
  length_flat: { zh: "水平长度", en: "Horizontal" },
  height_difference: { zh: "高差", en: "Height difference" },
  area_3d: { zh: "表面积", en: "3D area" },
  area_flat: { zh: "投影面积", en: "Horizontal area" },
  scenes: { zh: "场景漫游", en: "Scenes" },
  play: { zh: "播放", en: "Play" },
  pause: { zh: "暂停", en: "Pause" },
  previous: { zh: "上一个", en: "Previous" },
  next: { zh: "下一个", en: "Next" },
  leave_scenes: { zh: "退出漫游 (Esc)", en: "Leave scenes (Esc)" },
  time: { zh: "时间轴", en: "Timeline" },
  now: { zh: "现在", en: "Now" },
  play_time: { zh: "时序播放", en: "Play through time" },
  pause_time: { zh: "暂停播放", en: "Pause time" },
  previous_change: { zh: "上一次变化", en: "Previous change" },
  next_change: { zh: "下一次变化", en: "Next change" },
  as_of: { zh: "{0}的状态", en: "as of {0}" },
  not_there: { zh: "{0} 无此要素：尚未建成，或已灭失。", en: "Not there on {0}: not yet begun, or already gone." },
  full_screen: { zh: "全屏", en: "Full screen" },
  screenshot: { zh: "截图", en: "Screenshot" },
  share: { zh: "复制链接", en: "Copy link" },
  link_copied: { zh: "链接已复制", en: "Link copied" },
  help: { zh: "帮助", en: "Help" },
  tool_failed: { zh: "“{0}”工具出错，已停止：{1}", en: "The tool “{0}” stopped after an error: {1}" },
  language: { zh: "English", en: "中文" },
  tools: { zh: "工具", en: "Tools" },
  longitude: { zh: "东经", en: "Lon" },
  latitude: { zh: "北纬", en: "Lat" },
  view: { zh: "三维场景", en: "3D scene" },
  config_failed: { zh: "无法读取图层目录：{0}", en: "The town's catalogue cannot be read: {0}" },
  item_failed: { zh: "无法读取要素：{0}", en: "The feature cannot be read: {0}" },
  search_failed: { zh: "搜索失败：{0}", en: "The search failed: {0}" },
  tileset_failed: { zh: "图层“{0}”的三维瓦片未能加载", en: "The 3D tiles of “{0}” did not load" },
  tiles_failed: { zh: "部分地图瓦片未能加载：{0}", en: "Some map tiles did not load: {0}" },
  terrain_failed: { zh: "地形未能加载，暂以平面代替", en: "The terrain did not load; a level surface stands in" },
  graphics_failed: { zh: "图形显示中断：{0}", en: "Drawing stopped: {0}" },
  no_webgl: { zh: "此浏览器不支持 WebGL 2", en: "This browser offers no WebGL 2" },
  about: { zh: "三维引擎：CesiumJS（Apache-2.0）；全部组件及许可见随附的 NOTICE。", en: "3D engine: CesiumJS (Apache-2.0). NOTICE, which comes with the program, lists all components and licences." },
  help_title: { zh: "操作说明", en: "How to move about" },
  help_drag: { zh: "左键拖动：平移", en: "Left drag: move" },
  help_wheel: { zh: "滚轮：缩放", en: "Wheel: zoom" },
  help_tilt: { zh: "右键拖动：旋转与俯仰", en: "Right drag: turn and tilt" },
  help_click: { zh: "单击：查看属性", en: "Click: attributes" },
  key_arrows: { zh: "平移；漫游时切换上一个、下一个场景", en: "Move; in scenes, previous and next" },
  key_zoom: { zh: "缩放", en: "Zoom" },
  key_turn: { zh: "左右旋转", en: "Turn" },
  key_tilt: { zh: "俯仰", en: "Tilt" },
  key_home: { zh: "全图", en: "Whole town" },
  key_underground: { zh: "地下模式", en: "Underground" },
  key_light: { zh: "光照与画质", en: "Light and quality" },
  key_search: { zh: "搜索", en: "Search" },
  key_measure: { zh: "量测长度、高差、面积、坐标", en: "Measure length, height, area, coordinates" },
  key_play: { zh: "播放、暂停漫游", en: "Play or pause the scenes" },
  key_time: { zh: "打开时间轴；回到现在", en: "Timeline; back to now" },
  key_full: { zh: "全屏", en: "Full screen" },
  key_escape: { zh: "取消、关闭", en: "Cancel, close" },
  key_help: { zh: "本说明", en: "This page" },
} satisfies Record<string, Text>;

export type Word = keyof typeof WORDS;

/** The language of the interface; a module that shows words renders them again when it changes. */
export class Language {
  private readonly listeners: (() => void)[] = [];

  constructor(private chosen: Lang) {
    this.mark();
  }

  get code(): Lang {
    return this.chosen;
  }

  set code(lang: Lang) {
    if (lang === this.chosen) return;
    this.chosen = lang;
    this.mark();
    for (const listener of this.listeners) listener();
  }

  /** Call the listener now and after each change of language. */
  shown(listener: () => void): void {
    this.listeners.push(listener);
    listener();
  }

  t(word: Word, ...values: string[]): string {
    return WORDS[word][this.chosen].replace(/\{(\d)\}/g, (_, index) => values[Number(index)] ?? "");
  }

  /** The text in this language, else in the other. */
  of(text: Text): string {
    return text[this.chosen] || text.en || text.zh;
  }

  /** A day ("2024-06-01") in words. */
  date(day: string): string {
    const format = new Intl.DateTimeFormat(this.chosen === "zh" ? "zh-CN" : "en-GB", { dateStyle: "long", timeZone: "UTC" });
    return format.format(new Date(`${day}T00:00:00Z`));
  }

  /** An instant in words as the clocks of a time zone show it: the day alone where it is its beginning. */
  instant(text: string, timeZone: string): string {
    const at = new Date(text);
    if (Number.isNaN(at.getTime())) return text;
    const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone }).format(at);
    const style = clock === "00:00:00" ? { dateStyle: "long" as const } : { dateStyle: "long" as const, timeStyle: "short" as const };
    return new Intl.DateTimeFormat(this.chosen === "zh" ? "zh-CN" : "en-GB", { ...style, timeZone }).format(at);
  }

  number(value: number, digits: number): string {
    return value.toLocaleString(this.chosen === "zh" ? "zh-CN" : "en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  private mark(): void {
    document.documentElement.lang = this.chosen === "zh" ? "zh-CN" : "en";
  }
}
