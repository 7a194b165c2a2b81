"""How outsourced vendors do: measures by month beside their targets."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Asking, operation
from api.months import first_day
from api.schemas.complaints import Month
from api.schemas.directory import Key
from api.schemas.vendors import VendorComparison, VendorPerformanceModel
from qa_service.domain.access import Permission
from qa_service.services.vendors import MOST_MONTHS

router = APIRouter(tags=["vendors"])


@operation(router, "GET", "/vendors/performance", Permission.VENDORS_READ)
def compare_vendors(asking: Asking, month: Month) -> VendorComparison:
    """Vendors side by side in a month; those alone of which you may see every call."""
    found = asking.site.vendors.all(asking.who, month=first_day(month))
    return VendorComparison(vendors=[VendorPerformanceModel.of(one) for one in found])


@operation(router, "GET", "/vendors/{name:path}/performance", Permission.VENDORS_READ, errors=(404,))
def get_vendor_performance(
    asking: Asking,
    name: Key,
    months: Annotated[int, Query(ge=1, le=MOST_MONTHS)] = 6,
    until: Annotated[
        str | None,
        Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="The last month; without it the present one"),
    ] = None,
) -> VendorPerformanceModel:
    """A vendor's measures by month beside their targets, and where they are going."""
    last = asking.site.vendors.this_month() if until is None else first_day(until)
    return VendorPerformanceModel.of(asking.site.vendors.performance(asking.who, name, last=last, months=months))
