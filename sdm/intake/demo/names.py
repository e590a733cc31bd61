"""Words of the made-up company: its places (real provinces and cities), dealers, people. No real business is meant."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

COMPANY = "云岭电器股份有限公司"
COMPANY_EN = "Yunling Appliances"
HEAD_OFFICE = "云岭电器总部"


@dataclass(frozen=True, slots=True)
class Place:
    """A branch: province, its seat, further cities of its area, English name, size of its business (1 small, 10 large)."""

    code: str
    province: str
    short: str
    english: str
    cities: tuple[str, ...]
    weight: int
    offices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """A sales region with its branches."""

    code: str
    name: str
    english: str
    places: tuple[Place, ...]


def _place(code: str, province: str, short: str, english: str, cities: str, *size: Any) -> Place:
    weight, offices = (*size, "")[:2]
    return Place(code, province, short, english, tuple(cities.split()), weight, tuple(offices.split()))


REGIONS = (
    Region("R1", "华北大区", "North China", (
        _place("BJ", "北京市", "北京", "Beijing", "北京市", 7),
        _place("TJ", "天津市", "天津", "Tianjin", "天津市", 4),
        _place("HE", "河北省", "河北", "Hebei", "石家庄市 唐山市 保定市 邯郸市 沧州市", 6, "唐山市"),
        _place("SX", "山西省", "山西", "Shanxi", "太原市 大同市 临汾市 运城市", 3),
        _place("NM", "内蒙古自治区", "内蒙古", "Inner Mongolia", "呼和浩特市 包头市 赤峰市 通辽市", 3, "包头市"),
    )),
    Region("R2", "东北大区", "Northeast China", (
        _place("LN", "辽宁省", "辽宁", "Liaoning", "沈阳市 大连市 鞍山市 锦州市", 5, "大连市"),
        _place("JL", "吉林省", "吉林", "Jilin", "长春市 吉林市 四平市 延边朝鲜族自治州", 3),
        _place("HL", "黑龙江省", "黑龙江", "Heilongjiang", "哈尔滨市 齐齐哈尔市 大庆市 牡丹江市", 4),
    )),
    Region("R3", "华东大区", "East China", (
        _place("SH", "上海市", "上海", "Shanghai", "上海市", 8),
        _place("JS", "江苏省", "江苏", "Jiangsu", "南京市 苏州市 无锡市 徐州市 南通市 扬州市", 9, "苏州市"),
        _place("ZJ", "浙江省", "浙江", "Zhejiang", "杭州市 宁波市 温州市 金华市 绍兴市", 9, "宁波市"),
        _place("AH", "安徽省", "安徽", "Anhui", "合肥市 芜湖市 安庆市 阜阳市", 5),
        _place("FJ", "福建省", "福建", "Fujian", "福州市 厦门市 泉州市 漳州市", 6, "厦门市"),
        _place("JX", "江西省", "江西", "Jiangxi", "南昌市 九江市 赣州市 上饶市", 4),
        _place("SD", "山东省", "山东", "Shandong", "济南市 青岛市 烟台市 潍坊市 临沂市", 9, "青岛市"),
    )),
    Region("R4", "华中大区", "Central China", (
        _place("HA", "河南省", "河南", "Henan", "郑州市 洛阳市 南阳市 新乡市 商丘市", 8, "洛阳市"),
        _place("HB", "湖北省", "湖北", "Hubei", "武汉市 宜昌市 襄阳市 荆州市", 6, "宜昌市"),
        _place("HN", "湖南省", "湖南", "Hunan", "长沙市 衡阳市 岳阳市 常德市", 6),
    )),
    Region("R5", "华南大区", "South China", (
        _place("GD", "广东省", "广东", "Guangdong", "广州市 深圳市 佛山市 东莞市 汕头市 湛江市", 10, "深圳市 汕头市"),
        _place("GX", "广西壮族自治区", "广西", "Guangxi", "南宁市 柳州市 桂林市 玉林市", 4, "桂林市"),
        _place("HI", "海南省", "海南", "Hainan", "海口市 三亚市 儋州市", 2),
    )),
    Region("R6", "西南大区", "Southwest China", (
        _place("CQ", "重庆市", "重庆", "Chongqing", "重庆市", 5),
        _place("SC", "四川省", "四川", "Sichuan", "成都市 绵阳市 德阳市 宜宾市 南充市", 7, "绵阳市"),
        _place("GZ", "贵州省", "贵州", "Guizhou", "贵阳市 遵义市 六盘水市", 3),
        _place("YN", "云南省", "云南", "Yunnan", "昆明市 曲靖市 大理白族自治州 玉溪市", 4),
        _place("XZ", "西藏自治区", "西藏", "Tibet", "拉萨市 日喀则市", 1),
    )),
    Region("R7", "西北大区", "Northwest China", (
        _place("SN", "陕西省", "陕西", "Shaanxi", "西安市 宝鸡市 咸阳市 汉中市", 5),
        _place("GS", "甘肃省", "甘肃", "Gansu", "兰州市 天水市 酒泉市", 3),
        _place("QH", "青海省", "青海", "Qinghai", "西宁市 海东市", 1),
        _place("NX", "宁夏回族自治区", "宁夏", "Ningxia", "银川市 吴忠市", 2),
        _place("XJ", "新疆维吾尔自治区", "新疆", "Xinjiang", "乌鲁木齐市 喀什地区 昌吉回族自治州", 3),
    )),
)  # fmt: skip

_FIRST = "金 瑞 恒 鑫 宏 盛 佳 旺 德 隆 泰 永 华 兴 富 广 百 万 天 和".split()
_SECOND = "禾 丰 源 达 美 泰 利 诚 信 昌 辉 茂 福 祥 安 邦 润 通 睿 业".split()
_SHAPES = ("电器商行", "家电有限公司", "电器有限公司", "家电商场", "商贸有限公司", "电器经营部", "家电连锁有限公司")
STREETS = ("人民", "解放", "中山", "建设", "和平", "新华")
_SURNAMES = "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧".split()
_GIVEN = "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀兰 霞 平 刚 桂英 建国 志强 海燕 晓东 雪梅 文博 子涵 雨桐".split()


def person(random: Random) -> str:
    """A person's name."""
    return random.choice(_SURNAMES) + random.choice(_GIVEN)


def town(city: str) -> str:
    """A city's short name: 石家庄市 → 石家庄."""
    for tail in ("朝鲜族自治州", "白族自治州", "回族自治州", "地区", "市"):
        if city.endswith(tail):
            return city.removesuffix(tail)
    return city


def dealer(random: Random, city: str, taken: set[str]) -> str:
    """A dealer's name that nobody has yet."""
    while True:
        name = f"{town(city)}{random.choice(_FIRST)}{random.choice(_SECOND)}{random.choice(_SHAPES)}"
        if name not in taken:
            taken.add(name)
            return name
